"""What experts said of the same cells: how far they differ while rounds run, and the cells themselves."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Query

from mitoscope import store
from mitoscope.statistics import cohen_of
from mitoscope.web.forms import ID_MAX, Answer, described
from mitoscope.web.state import ComparerHere, StateHere

router = APIRouter()
SHOWN = 60

_Id = Annotated[int, Query(ge=1, le=ID_MAX)]


class RaterPair(Answer):
    """Two experts: cells that both have read, Cohen's kappa, and cells by the class of the one and the other.

    Rows and columns of the counts are ``labels``, the ids of classes; kappa is null where it is not defined.
    """

    one: int
    one_name: str
    other: int
    other_name: str
    cells: int
    agreed: int
    kappa: float | None
    labels: list[int]
    counts: list[list[int]]


class Comparison(Answer):
    """Cells that two experts have read, on which the first two differ, and of these those not decided."""

    read_twice: int
    differ: int
    open: int
    pairs: list[RaterPair]


class ComparedCell(Answer):
    """A cell and its place, in level-0 px."""

    cell: int
    slide: int
    x: float
    y: float


class ComparedCells(Answer):
    """Cells to which two experts gave two classes, and whether there are more."""

    cells: list[ComparedCell]
    has_more: bool


@router.get("/api/comparison")
def compare(state: StateHere, lead: ComparerHere) -> Comparison:  # noqa: ARG001 it must be one
    """Return how far the experts differ now."""
    with state.store.snapshot() as copy, copy.reading() as connection:
        counts, pairs = store.compare_experts(connection)
        names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    return described(Comparison, counts, pairs=[_described(pair, names) for pair in pairs])


def _described(pair: store.RaterPair, names: dict[int, str]) -> RaterPair:
    kappa = float(cohen_of(pair.counts.reshape(-1).astype(float)))
    return {
        "one": pair.one_id,
        "one_name": names[pair.one_id],
        "other": pair.other_id,
        "other_name": names[pair.other_id],
        "cells": int(pair.counts.sum()),
        "agreed": int(pair.counts.trace()),
        "kappa": kappa if math.isfinite(kappa) else None,
        "labels": pair.label_id.tolist(),
        "counts": pair.counts.tolist(),
    }


@router.get("/api/comparison/cells")
def cells(
    state: StateHere,
    lead: ComparerHere,  # noqa: ARG001 it must be one
    one: _Id,
    other: _Id,
    first: _Id,
    second: _Id,
    skip: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
) -> ComparedCells:
    """Return cells to which the one gave the first class, and the other the second."""
    with state.store.snapshot() as copy, copy.reading() as connection:
        found = store.cells_compared(connection, (one, other), (first, second), n=SHOWN + 1, skip=skip)
    return {
        "cells": [
            described(ComparedCell, one, cell=one.public_id, slide=one.slide_id, x=one.x_px0, y=one.y_px0)
            for one in found[:SHOWN]
        ],
        "has_more": len(found) > SHOWN,
    }
