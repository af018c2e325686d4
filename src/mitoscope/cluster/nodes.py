"""What the nodes of a cluster have, and whether they fit together."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mitoscope.cluster.executor import Request
from mitoscope.cluster.library import check_ray, on_node
from mitoscope.cluster.versions import node_name, refuse_other_versions, versions_of
from mitoscope.errors import ClusterError

ANSWER_S: Final = 60.0
"""Seconds within which a node starts a process and says what it has."""
DISK_BYTES: Final = 100 << 20
"""Free disk without which a node cannot even write what it logs."""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node says of itself.

    Parameters
    ----------
    name, address : str
    resources : mapping of str to float
        As Ray counts them: CPU, GPU, memory.
    versions : mapping of str to str
    providers : tuple of str
        Where networks run on it.
    disk_bytes : int
        Free for what it keeps for a while.
    unseen : tuple of str
        Folders that are not there, or cannot be written to.
    problem : str
        Why it says nothing; empty where it does.
    """

    name: str
    address: str
    resources: Mapping[str, float]
    versions: Mapping[str, str] = field(default_factory=dict)
    providers: tuple[str, ...] = ()
    disk_bytes: int = 0
    unseen: tuple[str, ...] = ()
    problem: str = ""


def check_nodes(request: Request) -> None:
    """Refuse a cluster whose nodes do not fit together.

    Raises
    ------
    ClusterError
        Naming the node and what is the matter with it.
    """
    wanted = versions_of(request.packages)
    with ExitStack() as stack:
        marks = [_mark(folder, stack) for folder in request.folders]
        for node in report_nodes(request.packages, marks=marks):
            where = f"node {node.name} ({node.address})"
            if node.problem:
                raise ClusterError(node.problem, where=where, mend="see mitoscope doctor --cluster")
            refuse_other_versions(wanted, node.versions, node=f"{node.name} ({node.address})")
            if node.unseen:
                raise ClusterError(
                    f"does not see {node.unseen[0]}, or cannot write there",
                    where=where,
                    mend="put it on storage that all nodes share under the same path",
                )
            if node.disk_bytes < DISK_BYTES:
                raise ClusterError(
                    f"has {node.disk_bytes / 1e6:.0f} MB of free disk",
                    where=where,
                    mend=f"free some, {DISK_BYTES / 1e6:.0f} MB at least, or set TMPDIR to another disk",
                )


def _mark(folder: Path, stack: ExitStack) -> str:
    """Write a file that tells this folder from another one of the same name; it goes with the stack."""
    path = folder.absolute() / f".mitoscope-{uuid.uuid4().hex}"
    path.touch()
    stack.callback(path.unlink, missing_ok=True)
    return str(path)


def report_nodes(packages: Sequence[str], *, marks: Sequence[str] = ()) -> tuple[NodeReport, ...]:
    """Ask every node that computes what it has; this process has to be joined to the cluster.

    Parameters
    ----------
    packages : sequence of str
        Whose versions are asked for.
    marks : sequence of str
        Files in shared folders that a node has to see.
    """
    ray = check_ray()
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) > 0]
    ask = ray.remote(num_cpus=0, max_retries=1)(_describe)
    asked = [
        ask.options(scheduling_strategy=on_node(node["NodeID"], soft=False)).remote(packages, marks)
        for node in nodes
    ]
    ray.wait(asked, num_returns=len(asked), timeout=ANSWER_S)
    reports = (_report(node, answer) for node, answer in zip(nodes, asked, strict=True))
    return tuple(report for report in reports if report is not None)


def _report(node: Mapping[str, Any], answer: Any) -> NodeReport | None:
    """Return what a node said; None of one that has left the cluster meanwhile."""
    ray = check_ray()
    shown = {name: value for name, value in node["Resources"].items() if name in {"CPU", "GPU", "memory"}}
    common: dict[str, Any] = {
        "name": node["NodeName"],
        "address": node["NodeManagerAddress"],
        "resources": shown,
    }
    try:
        return NodeReport(**common, **ray.get(answer, timeout=0))
    except ray.exceptions.GetTimeoutError:
        ray.cancel(answer, force=True)
        return NodeReport(**common, problem=f"does not answer within {ANSWER_S:g} s")
    except ray.exceptions.TaskUnschedulableError:  # the task needs nothing but its node
        return None
    except ray.exceptions.RayError as error:
        if "No module named 'mitoscope'" in str(error):
            return NodeReport(**common, problem="mitoscope is not installed")
        line = " ".join(str(error).split())[:200]
        return NodeReport(**common, problem=f"cannot compute ({type(error).__name__}: {line})")


def _describe(packages: Sequence[str], marks: Sequence[str]) -> dict[str, Any]:
    """Return what this node has; runs there."""
    import onnxruntime

    return {
        "versions": versions_of(packages),
        "providers": tuple(onnxruntime.get_available_providers()),
        "disk_bytes": shutil.disk_usage(tempfile.gettempdir()).free,
        "unseen": tuple(str(Path(mark).parent) for mark in marks if not _shared(Path(mark))),
    }


def _shared(mark: Path) -> bool:
    own = mark.with_name(f"{mark.name}-{node_name()}-{os.getpid()}")
    try:
        own.touch()
    except OSError:
        return False
    with suppress(OSError):
        own.unlink()
    return mark.exists()
