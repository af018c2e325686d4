"""Files in and out on the page, by the same rule as the command; versions frozen and compared."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from mitoscope.cli.app import app
from mitoscope.store import Store

from .making import Clinic, key

ROWS = "image,x,y,label,rater\none.tiff,300,300,Teilungsfigur,Anna\none.tiff,600,500,Teilungsfigur,Anna\n"
ROWS += "one.tiff,700,700,Tubule,Anna\none.tiff,900,640,look-alike,Anna\none.tiff,90000,640,look-alike,Anna\n"


def _body(text: str, **more: Any) -> dict[str, Any]:
    content = base64.b64encode(text.encode()).decode("ascii")
    return {"name": "labels.csv", "content": content, **more}


def test_names_are_shown_mapped_and_taken_as_by_the_command(clinic: Clinic, tmp_path: Path) -> None:
    ask = clinic.lead.ask
    shown = ask("POST", "/api/imports/preview", _body(ROWS))
    assert shown["unknown"] == [{"name": "Teilungsfigur", "cells": 2}, {"name": "Tubule", "cells": 1}]
    assert "mitotic figure" in shown["classes"]
    mapped = _body(ROWS, labels={"Teilungsfigur": "mitotic figure", "Tubule": "ignore"})
    shown = ask("POST", "/api/imports/preview", mapped)
    assert (shown["unknown"], shown["cells"], shown["ignored"], shown["set_aside"]) == ([], 3, 1, 1)
    assert shown["slides"] == [{"name": "one.tiff", "is_known": True}]
    assert {"name": "Teilungsfigur", "read_as": "mitotic figure"} in shown["names"]
    assert clinic.store.overview().cells == 0  # a preview changes nothing
    done = clinic.lead.post("/api/imports", **mapped)
    assert (done["cells"], done["quarantined"]) == (3, 1)

    table = tmp_path / "labels.csv"
    table.write_text(ROWS)
    study = tmp_path / "by-command.mito"
    with Store.create(study) as other:
        for slide in clinic.store.slides().values():
            other.add_slide(slide)
    command = ["store", "import", str(study), str(table), "--json"]
    command += ["--label", "Teilungsfigur=mitotic figure", "--label", "Tubule=ignore"]
    told = json.loads(CliRunner().invoke(app, command).stdout)["imported"][0]
    assert {name: told[name] for name in ("cells", "labels", "ignored")} == {
        "cells": done["cells"],
        "labels": done["labels"],
        "ignored": shown["ignored"],
    }
    with Store.open(study) as other:
        assert dict(other.overview().agreed) == dict(clinic.store.overview().agreed)


def test_a_file_is_taken_once(clinic: Clinic) -> None:
    body = {"key": key(), **_body(ROWS, labels={"Teilungsfigur": "mitotic figure", "Tubule": "ignore"})}
    first = clinic.lead.ask("POST", "/api/imports", body)
    assert clinic.lead.ask("POST", "/api/imports", body) == {**first, "is_repeated": True}
    again = clinic.lead.ask("POST", "/api/imports", {**body, "key": key()}, status=422)
    assert "imported already" in again["error"]
    assert clinic.store.overview().cells == 3


def test_versions_are_frozen_and_compared(clinic: Clinic) -> None:
    labels = {"Teilungsfigur": "mitotic figure", "Tubule": "ignore"}
    clinic.lead.post("/api/imports", **_body(ROWS, labels=labels))
    one = clinic.lead.post("/api/versions", variant="MEL", licence="CC-BY-4.0", note="first")["version"]
    assert one["cells"] == {"mitotic figure": 2, "look-alike": 1}
    clinic.lead.post("/api/imports", **_body("image,x,y,label,rater\none.tiff,50,60,mitotic figure,Anna\n"))
    two = clinic.lead.post("/api/versions", variant="MEL", licence="CC-BY-4.0", note="second")["version"]
    listed = clinic.lead.get("/api/versions")["versions"]
    assert [version["sha256"] for version in listed] == [one["sha256"], two["sha256"]]
    found = clinic.lead.get("/api/versions/difference?before=MEL@1&after=MEL@2")
    assert (found["gained"], found["lost"], found["slides"]) == ({"mitotic figure": 1}, {}, ["one.tiff"])
    clinic.lead.get("/api/versions/difference?before=MEL@1&after=MEL@9", status=422)


def test_what_is_no_file_is_refused_in_one_line(clinic: Clinic) -> None:
    answer = clinic.lead.ask("POST", "/api/imports/preview", {"name": "a", "content": "%%%"}, status=422)
    assert "base64" in answer["error"]
    answer = clinic.lead.ask("POST", "/api/imports/preview", _body("what is this"), status=422)
    assert "labels.csv" in answer["error"]
    assert "--" not in answer["mend"]
    assert "/tmp" not in answer["error"]
    rater = clinic.person("rater")
    rater.ask("POST", "/api/imports/preview", _body(ROWS), status=403)
    rater.get("/api/versions", status=403)
    names = [one["name"] for one in clinic.lead.get("/api/formats")["formats"]]
    assert {"sliderunner", "coco", "geojson"} <= set(names)
