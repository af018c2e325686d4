"""The API as it is described: whatever is asked, the answer is one that the description knows."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .making import BASE, Clinic

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 4


def _filled(clinic: Clinic) -> None:
    """Put something behind the numbers that are likely to be asked for."""
    rounds = [
        clinic.round(kind, kind, clinic.lead, settings={"field_um": [200, 200], "area_mm2": 0.01})
        for kind in ("screening", "crowd boxes", "crowd tiles", "case review")
    ]
    for round_id in rounds[1:3]:
        clinic.lead.post(f"/api/rounds/{round_id}/tiles", propose={"slide": clinic.slide, "n": 3}, side=100)
    slide = f"/api/slides/{clinic.slide}"
    clinic.lead.post(f"{slide}/regions", kind="tumour", vertices=[[0, 0], [900, 0], [0, 900]])
    clinic.lead.post(f"{slide}/interests", x=0, y=0, area_mm2=0.001)
    clinic.lead.act(2, kind="create", slide=clinic.slide, x=800, y=700, label=1)


def test_every_operation_answers_as_it_is_described(clinic: Clinic) -> None:
    _filled(clinic)
    described = clinic.lead.get("/api/openapi.json")
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
    assert len(well) > len(asked) / 4, sorted(asked.items())
    clinic.store.verify()


def test_the_description_is_for_those_who_may_come_in(clinic: Clinic) -> None:
    described = clinic.lead.get("/api/openapi.json")
    assert described["info"]["title"] == "mitoscope"
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} says nothing of itself"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/api/docs"])
def test_no_pages_come_from_elsewhere(clinic: Clinic, path: str) -> None:
    clinic.lead.get(path, status=404)
