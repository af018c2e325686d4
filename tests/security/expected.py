"""Who may do what, as one table: each operation of the API has a rule, each rule a row for each place.

An operation that is not here fails the test. `ok` stands for the status that the operation then answers with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.web.making import Json

WHO = ("nobody", "closed", "worker", "stranger", "member", "blind", "blindlead", "lead")
"""Without a link; shut out; of the crowd, in a task of tiles; in a round on another slide; in the rounds on
the slide, not the first; in these and yet to read it blinded; a lead who is too; a lead who is not."""

RULES: dict[str, dict[str, str]] = {
    # place:                    nobody closed worker stranger member blind blindlead lead
    "come in": {"":             "401    401    ok     ok       ok     ok    ok        ok"},
    "look": {
        "slide":                "401    401    ok     404      ok     ok    ok        ok",
        "other slide":          "401    401    404    ok       404    404   ok        ok",
    },
    "draw": {
        "slide":                "401    401    403    404      ok     ok    ok        ok",
        "other slide":          "401    401    404    ok       404    404   ok        ok",
    },
    "change what the first drew": {
        "":                     "401    401    403    404      403    403   ok        ok",
    },
    "enter": {
        "free":                 "401    401    403    403      ok     ok    ok        ok",
        "done":                 "401    401    403    403      ok     ok    ok        ok",
        "foreign":              "401    401    403    403      403    403   ok        ok",
        "crowd":                "401    401    ok     403      403    403   ok        ok",
    },
    "read": {
        "free":                 "401    401    403    403      ok     ok    ok        ok",
        "done":                 "401    401    403    403      ok     ok    ok        ok",
        "foreign":              "401    401    403    403      403    403   ok        ok",
        "second":               "401    401    403    403      403    ok    ok        ok",
        "crowd":                "401    401    403    403      403    403   403       403",
        "free, other slide":    "401    401    403    403      404    404   404       404",
    },
    "work": {
        "free":                 "401    401    403    403      ok     ok    ok        ok",
        "done":                 "401    401    403    403      403    403   403       403",
        "foreign":              "401    401    403    403      403    403   ok        ok",
        "second":               "401    401    403    403      403    ok    ok        ok",
        "crowd":                "401    401    403    403      403    403   403       403",
        "free, other slide":    "401    401    403    403      404    404   404       404",
    },
    "count": {
        "case":                 "401    401    403    403      ok     ok    ok        ok",
        "case, other slide":    "401    401    403    403      404    404   404       404",
    },
    "answer": {
        "crowd":                "401    401    ok     403      403    403   ok        ok",
    },
    "see a result of the first": {
        "":                     "401    401    404    404      404    404   404       ok",
    },
    "see a board": {"":         "401    401    403    403      ok     403   403       ok"},
    "lead": {"":                "401    401    403    403      403    403   ok        ok"},
    "compare": {"":             "401    401    403    403      403    403   403       ok"},
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """What is known of an operation: its rule, what is sent, and how it answers who may.

    Parameters
    ----------
    rule : str
        Of `RULES`.
    body : callable, optional
        What is sent, by the numbers of what is there.
    ok : int
        Status for those who may; not all that is asked for is there.
    query : str
        What stands behind the path.
    where : dict
        Numbers in the path other than those of the name.
    """

    rule: str
    body: Callable[[dict[str, Any]], Json] | None = None
    ok: int = 200
    query: str = ""
    where: dict[str, str] = field(default_factory=dict)


def _sends(**content: Any) -> Callable[[dict[str, Any]], Json]:
    """Return a body; a value ``@name`` is the number of what is there under the name."""

    def put(value: Any, there: dict[str, Any]) -> Any:
        if isinstance(value, str) and value.startswith("@"):
            return there[value[1:]]
        return [put(one, there) for one in value] if isinstance(value, list) else value

    return lambda there: {name: put(value, there) for name, value in content.items()}


_EMPTY = _sends()
_NO_FILE = _sends(name="a.csv", content="?")
_OUTLINE = [[10, 10], [90, 10], [50, 90]]
_CSV = "x,y,score,label\n700,300,0.9,mitotic figure\n"
OPERATIONS: dict[str, Operation] = {
    "GET /api/me": Operation("come in"),
    "POST /api/leave": Operation("come in", _EMPTY, ok=204),
    "GET /api/slides": Operation("come in"),
    "GET /api/results": Operation("come in"),
    "GET /api/slides/{slide_id}/tiles/{level}/{column}_{row}.jpg": Operation("look"),
    "GET /api/slides/{slide_id}/thumbnail.jpg": Operation("look", query="?size=64"),
    "GET /api/slides/{slide_id}/crop.jpg": Operation("look", query="?x=500&y=400&size=16"),
    "GET /api/slides/{slide_id}/tissue": Operation("look"),
    "GET /api/slides/{slide_id}/regions": Operation("look"),
    "GET /api/slides/{slide_id}/interests": Operation("look"),
    "GET /api/interests/{interest_id}.tiff": Operation("look", query="?level=3", where={"other slide": ""}),
    "POST /api/slides/{slide_id}/regions": Operation("draw", _sends(kind="tumour", vertices=_OUTLINE)),
    "POST /api/slides/{slide_id}/interests": Operation("draw", _sends(x=0, y=0, area_mm2=0.001)),
    "PUT /api/regions/{region_id}": Operation(
        "change what the first drew", _sends(expected="@region seen", name="larger")
    ),
    "DELETE /api/regions/{region_id}": Operation(
        "change what the first drew", _sends(expected="@region seen")
    ),
    "POST /api/regions/{region_id}/restore": Operation(
        "change what the first drew", _EMPTY, where={"region_id": "gone region"}
    ),
    "DELETE /api/interests/{interest_id}": Operation("change what the first drew", _EMPTY),
    "POST /api/interests/{interest_id}/restore": Operation(
        "change what the first drew", _EMPTY, where={"interest_id": "gone interest"}
    ),
    "PUT /api/rounds/{round_id}/position": Operation("enter", _sends(position={"x": 1})),
    "GET /api/rounds/{round_id}/slides/{slide_id}/cells": Operation("read"),
    "GET /api/rounds/{round_id}/slides/{slide_id}/comments": Operation("read"),
    "GET /api/rounds/{round_id}/slides/{slide_id}/screening": Operation("read"),
    "GET /api/rounds/{round_id}/cells/{cell}": Operation("read"),
    "GET /api/rounds/{round_id}/queue": Operation("read"),
    "GET /api/rounds/{round_id}/done": Operation("read"),
    "POST /api/rounds/{round_id}/actions": Operation("work", _sends(kind="label", cell="@cell", label=1)),
    "POST /api/rounds/{round_id}/comments": Operation("work", _sends(cell="@cell", text="odd")),
    "PUT /api/rounds/{round_id}/slides/{slide_id}/screening": Operation("work", _sends(field=0)),
    "POST /api/rounds/{round_id}/slides/{slide_id}/screening/passes": Operation("work", _EMPTY),
    "GET /api/rounds/{round_id}/slides/{slide_id}/case": Operation("count"),
    "POST /api/rounds/{round_id}/slides/{slide_id}/case/count": Operation("count", _sends(threshold=0.5)),
    "POST /api/rounds/{round_id}/slides/{slide_id}/case/sign": Operation(
        "count", _sends(threshold=0.5, x=0, y=0, count=99), ok=409
    ),
    "GET /api/slides/{slide_id}/hot-spot": Operation("count", query="?area_mm2=0.01&round={case}"),
    "GET /api/rounds/{round_id}/tiles/next": Operation("answer"),
    "POST /api/rounds/{round_id}/tiles/{tile_id}/answer": Operation("answer", _sends(boxes=[[1, 1, 9, 9]])),
    "GET /api/results/{result_id}/result.json": Operation("see a result of the first"),
    "GET /api/results/{result_id}/report.html": Operation("see a result of the first"),
    "GET /api/boards/{board_id}": Operation("see a board"),
    "GET /api/boards/{board_id}/changed": Operation("see a board"),
    "GET /api/boards/{board_id}/tiles/{level}/{column}_{row}.jpg": Operation("see a board", ok=503),
    "GET /api/board-learning": Operation("lead"),
    "POST /api/board-learning": Operation("lead", _sends(name="board"), ok=409),
    "POST /api/board-learning/stop": Operation("lead", _EMPTY),
    "POST /api/searches/hard-examples": Operation("compare", _sends(name="hard"), ok=409),
    "POST /api/boards": Operation("lead", _sends(name="b", cells=["@cell"], x=[0], y=[0])),
    "GET /api/raters": Operation("lead"),
    "POST /api/raters": Operation("lead", _sends(name="newcomer")),
    "PUT /api/raters/{rater_id}": Operation("lead", _sends(is_open=False)),
    "POST /api/raters/{rater_id}/link": Operation("lead", _EMPTY),
    "PUT /api/slides/{slide_id}/tags": Operation("lead", _sends(tags=["pilot"])),
    "GET /api/classes": Operation("lead"),
    "POST /api/classes": Operation("lead", _sends(names=["granulocyte"])),
    "PUT /api/classes/{label_id}": Operation("lead", _sends(name="MK cell")),
    "GET /api/rounds": Operation("lead"),
    "POST /api/rounds": Operation("lead", _sends(name="more", kind="screening")),
    "PUT /api/rounds/{round_id}": Operation("lead", _sends(is_open=False)),
    "POST /api/rounds/{round_id}/tiles": Operation(
        "lead", _sends(tiles=[{"slide": 1, "x": 900, "y": 0}]), where={"round_id": "crowd"}
    ),
    "POST /api/reviews": Operation("lead", _sends(name="new", model="m", csv=_CSV, slide="@slide")),
    "POST /api/searches/review": Operation("lead", _sends(name="found", slides=["@slide"]), ok=404),
    "GET /api/searches": Operation("lead"),
    "POST /api/searches": Operation("lead", _sends(slides=["@slide"], model="none"), ok=422),
    "PUT /api/searches": Operation("lead", _sends(slides=["@slide"], change="cancel")),
    "GET /api/progress": Operation("compare"),
    "PUT /api/study": Operation("lead", _sends(policy="unanimous")),
    "GET /api/slides/{slide_id}/proposals": Operation("compare"),
    "GET /api/slides/{slide_id}/search/report.html": Operation("compare", ok=404),
    "GET /api/slides/{slide_id}/search/candidates.csv": Operation("compare", ok=404),
    "GET /api/rounds/{round_id}/tiles": Operation("compare", where={"round_id": "crowd"}),
    "GET /api/rounds/{round_id}/tiles/file": Operation("compare", where={"round_id": "crowd"}),
    "POST /api/rounds/{round_id}/conclude": Operation("compare", _EMPTY, where={"round_id": "crowd"}),
    "POST /api/boards/{board_id}/second": Operation("compare", _sends(raters=["@member"]), ok=409),
    "GET /api/reviews/{name}": Operation("lead"),
    "POST /api/reviews/{name}/third": Operation("compare", _sends(raters=["@member"]), ok=409),
    "POST /api/reviews/{name}/conclude": Operation("compare", _EMPTY, ok=409),
    "POST /api/settle": Operation("compare", _sends(policy="unanimous")),
    "GET /api/news": Operation("come in"),
    "PUT /api/news": Operation("come in", _sends(upto=1)),
    "GET /api/my-progress": Operation("come in"),
    "GET /api/schemes": Operation("come in"),
    "POST /api/rounds/{round_id}/slides/{slide_id}/case/work": Operation("count", _sends(looked=["@cell"])),
    "GET /api/activity": Operation("compare"),
    "GET /api/activity.csv": Operation("compare"),
    "GET /api/formats": Operation("lead"),
    "GET /api/intake": Operation("lead"),
    "GET /api/files": Operation("lead"),
    "POST /api/files": Operation("lead", _sends(names=["none.tiff"]), ok=422),
    "POST /api/uploads": Operation("lead", _sends(name="a.tiff", bytes=4)),
    "PUT /api/uploads/{upload}/pieces/{offset}": Operation("lead", ok=404),
    "POST /api/uploads/{upload}/finish": Operation("lead", _EMPTY, ok=404),
    "DELETE /api/uploads/{upload}": Operation("lead", _EMPTY, ok=404),
    "POST /api/sample": Operation("lead", _EMPTY),
    "GET /api/study/slides": Operation("lead"),
    "GET /api/rounds/{round_id}/progress": Operation("compare"),
    "PUT /api/slides/{slide_id}/resolution": Operation("lead", _sends(mpp=0.25), ok=409),
    "POST /api/imports/preview": Operation("lead", _NO_FILE, ok=422),
    "POST /api/imports": Operation("lead", _NO_FILE, ok=422),
    "POST /api/rounds/{round_id}/confirmation": Operation(
        "lead", _sends(name="confirm", raters=["@member"]), ok=422, where={"round_id": "crowd"}
    ),
    "POST /api/rounds/{round_id}/tiles/{tile_id}/gold": Operation(
        "lead", _sends(boxes=[[1, 1, 9, 9]]), where={"round_id": "crowd"}
    ),
    "GET /api/versions": Operation("compare"),
    "POST /api/versions": Operation("compare", _sends(variant="MEL")),
    "GET /api/versions/difference": Operation("compare", query="?before=a&after=b", ok=422),
    "GET /api/comparison": Operation("compare"),
    "GET /api/comparison/cells": Operation("compare", ok=422),
    "GET /api/study": Operation("compare"),
    "GET /api/agreement": Operation("compare"),
    "GET /api/overrules": Operation("compare"),
    "GET /api/export": Operation("compare"),
    "GET /api/work": Operation("compare"),
    "GET /api/work/file": Operation("compare"),
}
