"""Comments on cells, as a rater may see them in a round."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mitoscope import store
from mitoscope.web.forms import Action, Answer, Cell, Done, RoundId, SlideId, Text, described
from mitoscope.web.state import StateHere, VisitorHere, assignment, done_once, work_in

router = APIRouter()


class Comment(Answer):
    """What somebody remarks on a cell, and when."""

    cell: Cell
    rater: int
    rater_name: str
    text: str
    time_s: float


class Comments(Answer):
    """The comments on the cells of a slide, the oldest first."""

    comments: list[Comment]


class CommentKept(Done):
    """A comment that is on disk; an empty text has taken the last one back."""

    cell: Cell
    text: str


@router.get("/api/rounds/{round_id}/slides/{slide_id}/comments")
def comments(round_id: RoundId, slide_id: SlideId, state: StateHere, visitor: VisitorHere) -> Comments:
    """Return the comments on the cells of a slide that I see in a round."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    with state.store.reading() as connection:
        found = store.comments_seen(connection, mine.sight, slide_id)
    return {
        "comments": [
            described(
                Comment, comment, cell=comment.public_id, rater=comment.rater_id, rater_name=comment.rater
            )
            for comment in found
        ]
    }


class NewComment(Action):
    """A remark on a cell; an empty one takes back what I have remarked before."""

    cell: Cell
    text: Text


@router.post("/api/rounds/{round_id}/comments")
def comment(round_id: RoundId, body: NewComment, state: StateHere, visitor: VisitorHere) -> CommentKept:
    """Remark something on a cell that I see in a round."""
    mine = work_in(state, visitor, round_id)
    text = body.text.strip()

    def act(connection: Any) -> CommentKept:
        cell_id = store.cell_of(connection, body.cell)
        store.check_cell(connection, mine, cell_id, kind="label")
        store.write_comment(connection, cell_id, text, rater_id=visitor.rater_id, round_id=round_id)
        return {"cell": body.cell, "text": text, "is_repeated": False}

    return done_once(state, visitor, body.key, f"comment {round_id} {body.cell} {text}", act)
