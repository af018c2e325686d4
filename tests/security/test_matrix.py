"""Promise 32: one table allows or refuses each operation, and no answer holds what may not be seen."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mitoscope.web.app import describe_api
from tests.web.making import Json, key

from .expected import OPERATIONS, RULES, WHO, Operation
from .ward import FIRST, FROZEN_S, REMARK, SCORE, SIGNED, SIGNED_AT, Ward, open_ward

SECRETS = (FIRST, REMARK, SIGNED, str(SIGNED_AT))
SCORES = (str(SCORE), f"{SCORE:.4f}")
HIDDEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("nobody", "closed", "worker", "stranger"), (*SECRETS, *SCORES)),
    "blind": SECRETS,
    "member": (SIGNED, str(SIGNED_AT)),
    "blindlead": SECRETS[1:],
    "lead": (),
}
"""What the first rater said and must not come to somebody's ears, wherever the person asks."""
WITHOUT_KEY = ("POST /api/leave", "POST /api/rounds/{round_id}/slides/{slide_id}/case/count")
"""These change nothing that could be done twice."""
OUTSIDE = ("/searches", "/uploads", "/sample")
"""What these begin is not kept in the study."""
OWN_HEADERS = ("set-cookie", "last-modified", "etag")


@pytest.fixture(scope="module")
def wards() -> Iterator[tuple[Ward, Ward]]:
    """Return two studies in which another rater was the first and said otherwise."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("mitoscope.slide.opening.probe_slide", lambda path: None)
        patch.setattr("mitoscope.web.routes.boards._start", lambda *_: None)  # draws pictures
        patch.setattr("mitoscope.web.sample.Sample.make", lambda *_: None)  # draws a slide
        patch.setattr("time.time", lambda: FROZEN_S)
        made = []
        for other in (False, True):
            Path(folder, str(other)).mkdir()
            made.append(open_ward(Path(folder, str(other)), other=other))
        yield made[0], made[1]
        for ward in made:
            ward.store.close()


@pytest.fixture(scope="module")
def ward(wards: tuple[Ward, Ward]) -> Ward:
    """Return the first of them."""
    return wards[0]


def _described() -> list[str]:
    return [
        f"{method.upper()} {path}" for path, methods in describe_api()["paths"].items() for method in methods
    ]


def test_every_operation_has_a_rule() -> None:
    """A new route is declared in the table, or this fails."""
    assert sorted(OPERATIONS) == sorted(_described())
    assert {one.rule for one in OPERATIONS.values()} == set(RULES)
    assert all(len(row.split()) == len(WHO) for rule in RULES.values() for row in rule.values())


def _places(operation: Operation, path: str) -> dict[str, str]:
    """Return the rows that concern an operation: a round has another slide only where the path names one."""
    rows = RULES[operation.rule]
    left_out = {name for name, value in operation.where.items() if value == ""}
    if "{slide_id}" not in path:
        left_out |= {"free, other slide", "case, other slide"}
    return {place: row for place, row in rows.items() if place not in left_out}


def _request(ward: Ward, name: str, operation: Operation, place: str) -> tuple[str, str, Json | None]:
    """Return method, path and body of an operation at a place."""
    there = ward.there
    round_name, _, slide_name = place.partition(", ")
    slide = there[slide_name or ("other slide" if place == "other slide" else "slide")]
    numbers: dict[str, Any] = {
        "slide_id": slide,
        "round_id": there.get(round_name, there["free"]),
        "cell": there["cell"],
        "region_id": there["region"],
        "interest_id": there["interest"],
        "result_id": there["result"],
        "board_id": there["board"],
        "tile_id": there["tile"],
        "rater_id": ward.people["member"].id,
        "label_id": there["class"],
        "name": "review",
        "upload": 16 * "0",
        "offset": 0,
        "level": 0,
        "column": 0,
        "row": 0,
    }
    numbers |= {param: there[thing] for param, thing in operation.where.items() if thing}
    method, path = name.split(" ", 1)
    body = None if operation.body is None else operation.body(there | {"member": numbers["rater_id"]})
    if body is not None and name not in WITHOUT_KEY:
        body["key"] = key()
    return method, path.format(**numbers) + operation.query.format(**there), body


def _asked(ward: Ward) -> Iterator[tuple[str, str, str, str, Any]]:
    """Yield who asked for which operation where, what is expected, and the answer; each time of one study."""
    for name, operation in OPERATIONS.items():
        for place, row in _places(operation, name).items():
            for who, expected in zip(WHO, row.split(), strict=True):
                with ward.trials.trial():
                    answer = ward.ask(who, *_request(ward, name, operation, place), stays=True)
                ward.forget()
                yield who, name, place, expected, answer


def test_each_is_allowed_or_refused_and_hears_nothing_that_is_hidden(ward: Ward) -> None:
    before, wrong, heard, asked = ward.trials.state(), [], [], 0
    for who, name, place, expected, answer in _asked(ward):
        asked += 1
        status = str(OPERATIONS[name].ok) if expected == "ok" else expected
        if str(answer.status_code) != status:
            wrong.append(f"{who}: {name} ({place}) {answer.status_code}, not {status}: {answer.text[:120]}")
        told = answer.content + str(answer.headers).encode()
        hidden = HIDDEN[who] + SCORES * (place == "second")
        heard += [f"{who}: {name} ({place}) tells {word!r}" for word in hidden if word.encode() in told]
    assert not wrong, "\n".join(wrong)
    assert not heard, "\n".join(heard)
    assert asked > 1000
    assert ward.trials.state() == before, "a trial left something behind"


def test_a_token_opens_what_its_holder_may_do_and_no_more(ward: Ward) -> None:
    """The same table by another door; one place of each operation: the holder is found before all else."""
    before, wrong = ward.trials.state(), []
    for name, operation in OPERATIONS.items():
        place, row = next(iter(_places(operation, name).items()))
        for who, expected in zip(WHO, row.split(), strict=True):
            with ward.trials.trial():
                answer = ward.ask_by_token(who, *_request(ward, name, operation, place))
            ward.forget()
            if str(answer.status_code) != (str(operation.ok) if expected == "ok" else expected):
                wrong.append(
                    f"{who}: {name} ({place}) {answer.status_code}, not {expected}: {answer.text[:90]}"
                )
    assert not wrong, "\n".join(wrong)
    assert ward.trials.state() == before, "a trial left something behind"


def test_the_secrets_are_there_to_be_told(ward: Ward) -> None:
    """Control: the lead hears each of them, so that their absence elsewhere means something."""
    told = b""
    for who, _, _, _, answer in _asked(ward):
        if who == "lead":
            told += answer.content
    assert all(word.encode() in told for word in (*SECRETS, SCORES[1]))


@pytest.mark.parametrize("who", ["worker", "stranger", "blind"])
def test_no_number_order_or_count_tells_what_the_first_rater_did(wards: tuple[Ward, Ward], who: str) -> None:
    """Whoever may not know what the first said gets the same bytes, whoever that was, whatever was said."""
    differing = []
    for name, operation in OPERATIONS.items():
        for place in _places(operation, name):
            if not name.startswith("GET"):
                continue
            answers = []
            for ward in wards:
                with ward.trials.trial():
                    answers.append(ward.ask(who, *_request(ward, name, operation, place)))
                ward.forget()
            one, other = ((one.status_code, one.content, _headers(one)) for one in answers)
            if place != "second":  # what was seen of cells that are open changes with what others do
                one, other = _veiled(one), _veiled(other)
            if one != other:
                differing.append(f"{name} ({place}): {_difference(one, other)}")
    assert not differing, "\n".join(differing)


def _difference(one: tuple[int, bytes, Any], other: tuple[int, bytes, Any]) -> str:
    """Return where two answers part."""
    pairs = enumerate(zip(one[1], other[1], strict=False))
    at = max(0, next((at for at, (mine, theirs) in pairs if mine != theirs), 0) - 60)
    return f"{one[0]} …{one[1][at : at + 140]!r} and {other[0]} …{other[1][at : at + 140]!r}"


def _veiled(answer: tuple[int, bytes, Any]) -> tuple[int, bytes, Any]:
    """Return an answer without what are random numbers to whoever has no key."""
    status, content, headers = answer
    same = {name: value for name, value in headers.items() if name != "content-length"}  # compressed
    return status, re.sub(rb'"(seen|version)":(\[[^]]*\]|"[0-9a-f]{12}"|[0-9]+)', b"", content), same


def _headers(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN_HEADERS}


def _without(answer: Any) -> Any:
    content = answer.json() if "json" in answer.headers.get("content-type", "") else answer.content
    return (
        {name: value for name, value in content.items() if name != "is_repeated"}
        if isinstance(content, dict)
        else content
    )


WRITES = [name for name in OPERATIONS if not name.startswith("GET") and name not in WITHOUT_KEY]


def test_a_write_that_is_sent_again_answers_the_same_and_changes_nothing(ward: Ward) -> None:
    wrong = []
    for name in WRITES:
        operation = OPERATIONS[name]
        place = next(iter(_places(operation, name)))
        method, path, body = _request(ward, name, operation, place)
        if name.endswith("/sign"):
            placed = ward.ask("lead", "POST", path.replace("/sign", "/count"), {"threshold": 0.5}).json()
            body = {**(body or {}), **{one: placed[one] for one in ("x", "y", "count")}}
        with ward.trials.trial():
            before = ward.trials.state()
            first = ward.ask("lead", method, path, body)
            between = ward.trials.state()
            again = ward.ask("lead", method, path, body)
            if (first.status_code, _without(first)) != (again.status_code, _without(again)):
                answers = (f"{one.status_code} {one.text:.150}" for one in (first, again))
                wrong.append(f"{name}: {', then '.join(answers)}")
            if ward.trials.state() != between:
                wrong.append(f"{name}: the second time changed the study")
            if first.status_code == 200 and between == before and not name.endswith(OUTSIDE):
                wrong.append(f"{name}: nothing was done, so nothing was shown")
        ward.forget()
    assert not wrong, "\n".join(wrong)
