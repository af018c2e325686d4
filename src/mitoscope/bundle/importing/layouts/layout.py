"""What a layout is: how the outputs of a kind of network become candidates, in operators of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitoscope.bundle.importing.foreign import ForeignNetwork, Tensor
from mitoscope.bundle.origin import Interface
from mitoscope.errors import BundleError
from mitoscope.wording import say_number

Value = Any
"""A tensor of the graph that is being built; onnxscript does not say what its operators return."""
Operators = Any
"""Operators that are appended to the graph: ``ops.Add(one, 2.0)``."""


@dataclass(frozen=True, eq=False)
class Window:
    """A window as it is shown to the network.

    Parameters
    ----------
    input_px : tuple of Value
        Width and height of what the network sees, float.
    scale : tuple of Value
        Window px in a px of the network's input, along x and y, float.
    floor : float
        Scores above it are kept.
    """

    input_px: tuple[Value, Value]
    scale: tuple[Value, Value]
    floor: float


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a network found in a batch of windows.

    Parameters
    ----------
    x, y : Value
        float (B, M), in window px.
    score : Value
        float (B, M), 0 where nothing is; of a classifier (B, 2) without places.
    raw_scores : Value
        As the network gave them, for the checks before a bundle is written.
    raw_boxes : Value, optional
        The same of boxes, (B, M, 4).
    """

    x: Value
    y: Value
    score: Value
    raw_scores: Value
    raw_boxes: Value | None = None


Read = Callable[[Operators, Mapping[str, Value], Interface, Window], Candidates]
Check = Callable[[Mapping[str, Tensor], Interface, str], None]


@dataclass(frozen=True)
class Layout:
    """A kind of network.

    Parameters
    ----------
    describes : str
        Whose outputs it reads.
    roles : mapping of str to sequence of str
        Each output that it needs, and parts of the names by which one is known.
    read : callable
        From outputs to candidates.
    defaults : mapping
        Fields of `Interface` that such networks usually have.
    kind : {"points", "scores"}
    check : callable
        Sees that the shapes of the outputs fit what was stated.
    """

    describes: str
    roles: Mapping[str, Sequence[str]]
    read: Read
    defaults: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "points"
    check: Check = lambda _outputs, _interface, _where: None


def find_outputs(network: ForeignNetwork, layout: Layout, stated: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the output for each role of a layout: as stated, else by its name, else the only one there is.

    Raises
    ------
    BundleError
        Naming the outputs and the option, where it is not clear which one is meant.
    """
    known = {tensor.name: tensor for tensor in network.outputs}
    listed = ", ".join(map(str, network.outputs))
    found = {}
    for role, parts in layout.roles.items():
        own = [stated[role]] if role in stated else [name for name in known if _named(name, parts)]
        if role not in stated and len(layout.roles) == 1 and len(own) != 1:
            own = list(known)[:1]  # the first output is the network's own, further ones are its heads
        if len(own) != 1 or own[0] not in known:
            raise BundleError(
                f"which output are the {role}? There are: {listed}",
                where=network.where,
                mend=f"--output {role}=NAME",
            )
        found[role] = known[own[0]]
    if surplus := stated.keys() - layout.roles.keys():
        raise BundleError(
            f"no part {', '.join(sorted(surplus))} in this layout",
            where="--output",
            mend=f"one of: {', '.join(layout.roles)}",
        )
    return found


def _named(name: str, parts: Sequence[str]) -> bool:
    return any(part in name.casefold() for part in parts)


def wrong_classes(tensor: Tensor, has: int, interface: Interface, where: str) -> BundleError:
    """Return the error for another number of classes than was stated."""
    named = ", ".join(interface.classes)
    return BundleError(
        f"{tensor} has {say_number(has, 'class')}, {len(interface.classes)} are named ({named})",
        where=where,
        mend="name all of them in their order: --classes A,B,...",
    )
