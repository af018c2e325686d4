"""The API as it is described: whatever is asked, the answer is one that the description knows."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mitoscope.web import routes

from .making import BASE, Clinic, Json, Person, key

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 5
FILES = {"image/jpeg", "image/tiff", "text/csv", "text/html", "application/octet-stream"}
FREE = {"position"}
"""Where the page puts what it likes."""
NOBODY = 10**9


def _filled(clinic: Clinic) -> dict[str, list[Any]]:
    """Put something behind all kinds of numbers, and return these by what they are called in a path."""
    lead, slide = clinic.lead, clinic.slide
    reader = clinic.person("reader")
    screening, boxes, yes_no, case = (
        clinic.round(kind, kind, lead, settings={"field_um": [200, 200], "area_mm2": 0.01})
        for kind in ("screening", "crowd boxes", "crowd tiles", "case review")
    )
    places: list[Json] = [
        {"x": 800, "y": 700},
        {"box": [900, 700, 50, 40]},
        {"circle": [1000, 700, 50, 50]},
        {"vertices": [[1100, 700], [1150, 700], [1130, 760]]},
    ]
    cells = [
        lead.act(screening, kind="create", slide=slide, label=1 + number % 2, seconds=2, **place)["cell"]
        for number, place in enumerate(places)
    ]
    reading = clinic.round("second", "second read", reader)
    for cell in cells:
        reader.act(reading, kind="label", cell=cell, label=1)
    found = {"slide": slide, "x": [700.0, 760.0], "y": [600.0, 620.0], "score": [0.9, 0.8]}
    lead.post("/api/reviews", name="review", model="m", detections=[found], bins=1, raters=[reader.id])
    tasks: list[tuple[int, Json]] = [(boxes, {"boxes": [[10, 10, 50, 50]]}), (yes_no, {"answer": True})]
    for round_id, known in tasks:
        gold = {"slide": slide, "x": 0, "y": 0, **known}
        path, proposed = f"/api/rounds/{round_id}/tiles", {"slide": slide, "n": 3}
        lead.post(path, propose=proposed, gold=[gold], side=100)
        tile = lead.get(f"{path}/next")["tile"]["id"]
        assert lead.post(f"{path}/{tile}/answer", seconds=1, **known)["feedback"]["is_right"]
    region = lead.post(
        f"/api/slides/{slide}/regions", kind="tumour", vertices=[[0, 0], [2000, 0], [0, 2000]]
    )["region"]
    interest = lead.post(f"/api/slides/{slide}/interests", x=0, y=0, area_mm2=0.001)["interest"]
    own = lead.post("/api/classes", names=["megakaryocyte"])["classes"][-1]["id"]
    lead.put(f"/api/rounds/{case}/position", position={"x": 1.5})
    return {
        "slide_id": [slide],
        "screening": [screening],
        "tiles": [boxes, yes_no],
        "case": [case],
        "round": [screening, reading],
        "cell": cells,
        "tile_id": [one["id"] for one in lead.get(f"/api/rounds/{boxes}/tiles")["tiles"]],
        "region_id": [region["id"]],
        "interest_id": [interest["id"]],
        "result_id": [_signed(lead, f"/api/rounds/{case}/slides/{slide}/case")],
        "board_id": [_board(lead, cells)],
        "name": ["review"],
        "label_id": [own],
        "level": [0],
        "column": [0],
        "row": [0],
        "slide": [slide],
        "skip": ["1,2"],
        "area_mm2": [0.01],
        "aspect": ["4:3"],
    }


def _signed(person: Person, path: str) -> int:
    seen = person.get(path)
    spot = seen["hot_spot"]
    assert spot["count"] == 2
    placed = {name: spot[name] for name in ("x", "y", "count")}
    placed["not_looked_at"] = spot["looked_at"]["candidates"]
    return int(person.post(f"{path}/sign", threshold=seen["threshold"] or 0.5, **placed)["result"]["id"])


def _board(lead: Person, cells: list[int]) -> int:
    rows = [float(row) for row in range(len(cells))]
    board = int(lead.post("/api/boards", name="board", cells=cells, x=rows, y=rows)["board"])
    for _ in range(100):
        if lead.get(f"/api/boards/{board}")["state"] != "drawing":
            break
    return board


def _aimed(described: Json, there: dict[str, list[Any]]) -> Json:
    """Let a description ask for what is there, and for what is not."""
    for path, methods in described["paths"].items():
        kind = next((one for one in ("screening", "tiles", "case") if f"/{one}" in path), "round")
        kind = "tiles" if path.endswith("/conclude") and "rounds" in path else kind
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                known = there.get(kind if parameter["name"] == "round_id" else parameter["name"])
                if known is not None:
                    other = "nobody" if isinstance(known[0], str) else NOBODY
                    parameter["schema"] = {"enum": [*known, other]}
    return described


def test_every_operation_answers_as_it_is_described(clinic: Clinic) -> None:
    described = _aimed(clinic.lead.get("/api/openapi.json"), _filled(clinic))
    del described["components"]["securitySchemes"], described["security"]  # the lead comes with a cookie
    schema = schemathesis.openapi.from_dict(described)
    asked: dict[str, set[int]] = {}

    def ask(operation: Any) -> None:
        seen = asked.setdefault(operation.label, set())

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            sent = case.as_transport_kwargs(base_url=BASE, headers={"origin": BASE})
            sent.pop("cookies", None)
            data = sent.pop("data", None)
            if data is not None:
                sent["content"] = data
            if isinstance(body := sent.get("json"), dict) and "key" in body:
                body["key"] = key()  # the simplest one that is drawn would soon be used
            answer = clinic.lead.client.request(**sent)
            seen.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        run()

    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        # These end the visit, or shut everybody out.
        if operation.path not in ("/api/leave", "/api/raters/{rater_id}", "/api/raters/{rater_id}/link"):
            ask(operation)
    assert len(asked) > 50
    well = [label for label, seen in asked.items() if 200 in seen]
    assert len(well) > len(asked) * 2 / 3, sorted(asked.items())
    clinic.store.verify()


def test_the_description_is_for_those_who_may_come_in(clinic: Clinic) -> None:
    described = clinic.lead.get("/api/openapi.json")
    assert described["info"]["title"] == "mitoscope"
    assert "Bearer" in described["info"]["description"]
    assert all(tag["description"] for tag in described["tags"])
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} says nothing of itself"


def _vague(schema: Json, schemas: Json, name: str, known: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the names under which a schema leaves open what there is."""
    if "$ref" in schema:
        target = schema["$ref"].rsplit("/", 1)[-1]
        if target not in known:
            yield from _vague(schemas[target], schemas, name, known | {target})
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from _vague(one, schemas, name, known)
    elif schema.get("type") == "array":
        yield from _vague(schema.get("items", {}), schemas, name, known)
    elif schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        yield from _vague(schema["additionalProperties"], schemas, name, known)
    elif schema.get("type") == "object":
        if not schema.get("properties") or schema.get("additionalProperties") is not False:
            yield name
        for field, one in schema.get("properties", {}).items():
            yield from _vague(one, schemas, field, known)
    elif not schema.keys() & {"type", "enum", "const"}:
        yield name


def test_every_answer_is_described_to_its_last_key(clinic: Clinic) -> None:
    described = clinic.lead.get("/api/openapi.json")
    schemas = described["components"]["schemas"]
    free: set[str] = set()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            answer = operation["responses"].get("200")
            if answer is None:
                assert path == "/api/leave"
                continue
            ((kind, content),) = answer["content"].items()
            assert kind in FILES or (kind == "application/json" and content["schema"]), f"{method} {path}"
            if kind not in FILES:
                free.update(_vague(content["schema"], schemas, f"{method} {path}"))
    assert free == FREE


def _unchecked() -> set[str]:
    """Return the paths that answer in JSON which is sent as it is, for it would take long to check."""
    modules = [import_module(f"{routes.__name__}.{one.name}") for one in iter_modules(routes.__path__)]
    return {
        route.path
        for module in modules
        for route in module.router.routes
        if isinstance(route, APIRoute) and route.response_field is None and 200 in route.response_fields
    }


def test_answers_that_are_sent_unchecked_are_as_they_are_described(clinic: Clinic) -> None:
    there = _filled(clinic)
    lead = clinic.lead
    schema = schemathesis.openapi.from_dict(lead.get("/api/openapi.json"))
    asked = [
        ("/api/rounds/{round_id}/slides/{slide_id}/cells", {"round_id": one, "slide_id": clinic.slide})
        for one in (*there["round"], *there["case"])
    ]
    asked += [
        ("/api/boards/{board_id}", {"board_id": there["board_id"][0]}),
        ("/api/results/{result_id}/result.json", {"result_id": there["result_id"][0]}),
    ]
    assert {path for path, _ in asked} == _unchecked()
    for path, numbers in asked:
        answer = lead.client.get(path.format(**numbers))
        assert answer.status_code == 200
        assert answer.json().get("cell", answer.json().get("content")), "there is nothing in it"
        case = schema[path]["GET"].Case(path_parameters=numbers)
        case.validate_response(answer, checks=[response_schema_conformance])


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/api/docs"])
def test_no_pages_come_from_elsewhere(clinic: Clinic, path: str) -> None:
    clinic.lead.get(path, status=404)
