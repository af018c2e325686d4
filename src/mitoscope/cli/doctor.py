"""``mitoscope doctor``: versions, readers, providers, what is missing and the command that mends it."""

from __future__ import annotations

from importlib import metadata, util
from typing import Annotated

import typer

EXTRAS = {
    "train": (
        ("torch", "torchvision", "lightning_fabric", "onnx", "onnxscript", "sklearn", "matplotlib"),
        "training",
    ),
    "cluster": (("ray",), "many machines"),
    "dicom": (("highdicom",), "DICOM annotations"),
    "embed": (("umap",), "similarity boards"),
}
"""Modules of each extra, and what it is for."""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show versions, readers, providers, and what is missing with the command that mends it."""
    findings = _findings()
    if as_json:
        import json

        typer.echo(json.dumps(findings, indent=2))
    else:
        for line in _lines(findings):
            typer.echo(line)
    if not findings["ok"]:
        raise typer.Exit(1)


def _findings() -> dict[str, object]:
    import os
    import platform

    import numpy
    import onnxruntime
    import openslide

    from mitoscope import __version__
    from mitoscope.bundle import load_bundle, shipped, verify_bundle
    from mitoscope.errors import MitoscopeError

    bundles: dict[str, str] = {}
    for name in shipped():
        try:
            bundle = load_bundle(name)
            verify_bundle(bundle)
            bundles[name] = f"{bundle.manifest.version}, self-test passed"
        except MitoscopeError as error:
            bundles[name] = f"damaged: {error}"
    missing = {
        extra: [module for module in modules if util.find_spec(module) is None]
        for extra, (modules, _) in EXTRAS.items()
    }
    return {
        "mitoscope": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "numpy": numpy.__version__,
        "readers": {
            "openslide": f"{openslide.__library_version__} (openslide-python {openslide.__version__})",
            "pillow": metadata.version("pillow"),
        },
        "onnxruntime": onnxruntime.__version__,
        "providers": list(onnxruntime.get_available_providers()),
        "bundles": bundles,
        "extras": {extra: {"missing": modules} for extra, modules in missing.items()},
        "ok": bool(bundles) and not any(state.startswith("damaged") for state in bundles.values()),
    }


def _lines(findings: dict[str, object]) -> list[str]:
    lines = [f"{'mitoscope':<14}{findings['mitoscope']}"]
    lines += [f"{key:<14}{findings[key]}" for key in ("python", "platform", "cores", "numpy", "onnxruntime")]
    readers, bundles, extras = findings["readers"], findings["bundles"], findings["extras"]
    assert isinstance(readers, dict)
    assert isinstance(bundles, dict)
    assert isinstance(extras, dict)
    providers = findings["providers"]
    assert isinstance(providers, list)
    lines.append(f"{'providers':<14}{', '.join(providers)}")
    lines += [f"{'reader':<14}{name} {version}" for name, version in readers.items()]
    lines += [f"{'bundle':<14}{name} {state}" for name, state in bundles.items()]
    for extra, state in extras.items():
        purpose = EXTRAS[extra][1]
        if state["missing"]:
            mend = f"pip install 'mitoscope[{extra}]'"
            lines.append(f"{'extra':<14}{extra} ({purpose}): not installed; to have it: {mend}")
        else:
            lines.append(f"{'extra':<14}{extra} ({purpose}): installed")
    if not findings["ok"]:
        lines.append("error: no sound model bundle; mend: reinstall mitoscope")
    return lines
