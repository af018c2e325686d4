"""Ray itself, which is an extra."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mitoscope.errors import ClusterError
from mitoscope.extras import how_to_install


def check_ray() -> Any:
    """Return the module of Ray.

    Raises
    ------
    ClusterError
        If it is not installed.
    """
    if find_spec("ray") is None:
        raise ClusterError("Ray is not installed", where="--cluster", mend=how_to_install("cluster"))
    import_module("ray.util.scheduling_strategies")
    return import_module("ray")


def on_node(node_id: str, *, soft: bool) -> Any:
    """Return the strategy that places a task on a node; a soft one takes another where that is gone."""
    return check_ray().util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id, soft=soft)
