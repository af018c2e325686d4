"""The versions of what a result depends on, compared between the machines of a cluster."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from mitoscope.errors import ClusterError

ABSENT = "not installed"


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages in this process."""
    return {name: _version(name) for name in packages}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ABSENT


def refuse_other_versions(wanted: Mapping[str, str], found: Mapping[str, str], *, node: str) -> None:
    """Refuse a node whose results might differ.

    Raises
    ------
    ClusterError
        Naming the node and the packages.
    """
    other = [
        f"{name} {found.get(name, ABSENT)} in place of {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if other:
        raise ClusterError(
            f"has {', '.join(other)}",
            where=f"node {node}",
            mend="install the same versions on all nodes, best from one image or one shared environment",
        )


def node_name() -> str:
    """Return what this machine is called."""
    return platform.node() or "unknown"
