"""Raters at their tasks, for the lead: how far they agree, how fast they are, how often they are right."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from mitoscope import store
from mitoscope.curation.work_table import raters_csv, work_table
from mitoscope.web.forms import Answer, described
from mitoscope.web.routes.crowd_tasks import download, note_export
from mitoscope.web.routes.study import REPEATS, Interval, interval_of
from mitoscope.web.state import ComparerHere, StateHere

router = APIRouter()


class RaterAtTask(Answer):
    """A rater in a task: tiles or cells, seconds for one by the server's clock, and shares that were right.

    On gold tiles right is what is known of them; else what the majority said. Null where nothing is known.
    """

    task: str
    kind: store.RoundKind
    rater: str
    state: str
    pieces: int
    timed: int
    seconds_mean: float | None
    seconds_median: float | None
    gold: int
    gold_accuracy: float | None
    compared: int
    accuracy: float | None


class TaskOfRaters(Answer):
    """A task: Fleiss' kappa of so many answers to each of so many tiles or cells, and means over raters."""

    task: str
    kind: store.RoundKind
    raters: int
    pieces: int
    kappa: Interval
    kappa_raters: int
    kappa_pieces: int
    seconds_mean: float | None
    accuracy: float | None


class Work(Answer):
    """Tasks and who worked in them; longer pauses than ``break_s`` seconds are not counted as work."""

    tasks: list[TaskOfRaters]
    raters: list[RaterAtTask]
    break_s: float


@router.get("/api/work")
def work(state: StateHere, lead: ComparerHere) -> Work:  # noqa: ARG001 it must be one
    """Return how far raters agree, how fast they are and how often right, by task and by rater."""
    with state.store.snapshot() as copy:
        found = work_table(copy, repeats=REPEATS)
    return {
        "tasks": [described(TaskOfRaters, task, kappa=interval_of(task.kappa)) for task in found.tasks],
        "raters": [described(RaterAtTask, rater) for rater in found.raters],
        "break_s": store.BREAK_S,
    }


@router.get(
    "/api/work/file", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}}
)
def work_file(state: StateHere, lead: ComparerHere) -> Response:
    """Return the table of the raters as a CSV."""
    with state.store.snapshot() as copy:
        text = raters_csv(work_table(copy, repeats=0))
    note_export(state, lead, "table of raters")
    return download(text, "raters", "csv")
