"""Promises 23 and 24: no string of a request reaches the file system, and none becomes markup."""

from __future__ import annotations

import csv
import io
import json
import re
from urllib.parse import quote

import pytest

from tests.report.payloads import PAYLOADS

from .making import BASE, Clinic, key

_UP = (
    "../",
    "..\\",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%5c",
    "....//",
    "..;/",
    "%252e%252e%252f",
    "..%c0%af",
)
TRAVERSALS = (
    *(f"{one * 6}etc/passwd" for one in _UP),
    *(f"{one}study.mito" for one in _UP),
    *(f"1/{one}{one}one.tiff" for one in _UP),
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "file:///etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\server\\share",
    "%2fetc%2fpasswd",
    "%00",
    "1%00.jpg",
    "one.tiff",
    "one.tiff%00",
    "./one.tiff",
    "study.mito",
    "~",
    "~root/.ssh/id_rsa",
    ".",
    "..",
    "...",
    "-1",
    "0",
    "1e3",
    "0x1",
    "１",
    "1 ",
    "1;ls",
    "$(id)",
    "`id`",
    "%0d%0aSet-Cookie:x=1",
    "1?x=../../etc/passwd",
)


def test_there_are_sixty_strings() -> None:
    assert len(set(TRAVERSALS)) >= 60


def _parts(clinic: Clinic) -> list[tuple[str, str]]:
    """Return each path of the API once for each of its parts, with a hole there."""
    found = []
    for path, methods in clinic.lead.get("/api/openapi.json")["paths"].items():
        for name in re.findall(r"{[a-z_]+}", path):
            rest = re.sub(r"{[a-z_]+}", "1", path.replace(name, "\0", 1))
            found += [(one.upper(), rest) for one in methods]
    return found


def test_sixty_strings_over_every_route_lead_nowhere(clinic: Clinic) -> None:
    client = clinic.lead.client
    secret = clinic.store.path.read_bytes()[:16]
    asked = 0
    for number, (method, path) in enumerate(_parts(clinic)):
        # Every part of every path gets a third of the strings, every string comes to every third part.
        for text in TRAVERSALS[number % 3 :: 3]:
            url = path.replace("\0", text)
            answer = client.request(
                method, url, headers={"origin": BASE, "content-type": "application/json"}, content=b"{}"
            )
            # What is left of "1?x=…" is a number, and "." and ".." are taken out by the client.
            is_plain = text in (".", "..", "1?x=../../etc/passwd")
            assert answer.status_code in (401, 403, 404, 405, 422) or is_plain, url
            assert b"root:" not in answer.content
            assert not answer.content.startswith(secret)
            asked += 1
    assert asked > 1000


@pytest.mark.parametrize("prefix", ["/", "/assets/", "/static/", "/api/", "/api/slides/", "/api/results/"])
def test_no_file_lies_behind_the_page(clinic: Clinic, prefix: str) -> None:
    for text in TRAVERSALS:
        answer = clinic.lead.client.get(f"{prefix}{text}")
        assert answer.status_code in (401, 404, 405, 422, 503, 200)
        if answer.status_code == 200:
            assert answer.headers["content-type"].startswith(("text/html", "application/json"))
            assert b"root:" not in answer.content


def test_no_place_on_the_disk_is_told(clinic: Clinic) -> None:
    clinic.catalogue.path(clinic.slide).rename(clinic.catalogue.path(clinic.slide).with_suffix(".away"))
    try:
        answer = clinic.lead.client.get(f"/api/slides/{clinic.slide}/tiles/11/0_0.jpg")
        assert (answer.status_code, answer.json()["code"]) == (410, "slide_missing")
        assert str(clinic.store.path.parent).encode() not in answer.content
        assert b"/tmp" not in answer.content
    finally:
        away = next(iter(clinic.catalogue._files.values())).with_suffix(".away")
        away.rename(away.with_suffix(".tiff"))


_UNSEEN = (
    0xAD,
    0x61C,
    0x180E,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
)
REFUSED = ("\x00", "\udcff", *map(chr, _UNSEEN))
"""What no name may hold: no text, not seen, or turning what follows around."""


def _shown(text: str) -> str:
    return " ".join(text.split())


def test_forty_payloads_through_every_text_field_stay_text(clinic: Clinic) -> None:
    lead, slide = clinic.lead, clinic.slide
    shown, kept = f"/api/slides/{slide}", 0
    for number, payload in enumerate(PAYLOADS):
        body = json.dumps({"key": key(), "name": payload, "role": "rater"}).encode()
        answer = lead.client.post(
            "/api/raters", content=body, headers={"origin": BASE, "content-type": "application/json"}
        )
        if answer.status_code == 422:
            assert answer.json()["code"] == "invalid"
            assert any(one in payload for one in REFUSED)
            continue
        kept += 1
        rater = answer.json()["id"]
        lead.post("/api/rounds", name=payload, kind="unstated", raters=[rater, lead.id])
        lead.post(f"{shown}/regions", name=payload, kind="tumour", vertices=[[0, 0], [9, 0], [0, 9]])
        lead.post(f"{shown}/interests", name=payload, x=0, y=0, area_mm2=0.001)
        if number % 8 == 0:
            found = [{"slide": slide, "x": [800 + number], "y": [700], "score": [0.9]}]
            lead.post("/api/reviews", name=f"r {payload}", model=f"m {payload}", detections=found, bins=1)
    assert kept == len([one for one in PAYLOADS if not any(odd in one for odd in REFUSED)]) > 35
    for path in (
        "me",
        "raters",
        "rounds",
        f"slides/{slide}/regions",
        f"slides/{slide}/interests",
        "progress",
    ):
        answer = lead.client.get(f"/api/{path}")
        # Nothing but JSON, which no browser takes for a page, and whose text is what came in.
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.status_code == 200
    names = {one["name"] for one in lead.get("/api/raters")["raters"]}
    assert {_shown(one) for one in PAYLOADS if not any(odd in one for odd in REFUSED)} <= names


def test_a_payload_in_an_address_comes_back_as_json(clinic: Clinic) -> None:
    for payload in PAYLOADS:
        text = quote(payload, errors="surrogatepass")
        for path in (f"/api/reviews/{text}", f"/api/rounds/{text}", f"/{text}", f"/?token={text}"):
            answer = clinic.lead.client.get(path)
            assert answer.status_code in (401, 404, 405, 422)
            if answer.headers["content-type"].startswith("text/html"):
                assert payload.encode("utf-8", "replace") not in answer.content or len(payload) < 6
            else:
                assert answer.headers["content-type"] == "application/json"


def test_payloads_in_a_signed_report_and_in_a_csv_are_inert(clinic: Clinic) -> None:
    case = clinic.round("case", "case review", clinic.lead, settings={"area_mm2": 0.01})
    path = f"/api/rounds/{case}/slides/{clinic.slide}/case"
    comment = " ".join(one for one in PAYLOADS if "\x00" not in one and "\udcff" not in one)
    signed = clinic.lead.post(
        f"{path}/sign", threshold=0.5, x=800, y=700, count=0, comment=comment, is_not_searched=True
    )["result"]
    answer = clinic.lead.client.get(signed["report"])
    page = answer.text
    assert "<script" not in page.casefold()
    assert "<iframe" not in page.casefold()
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    titles = [one.partition("<")[0] for one in page.split("<h2>")[1:]]
    assert {"Counted in the window", "Decided by hand"} <= set(titles)
    assert not {"Highest scores", "Borderline", "Scores"} & set(titles), (
        "these are a detector's, not a person's"
    )
    formula = clinic.person("=HYPERLINK(1)")
    free = clinic.round("+cmd|x", "unstated", formula)
    formula.act(free, kind="create", slide=clinic.slide, x=800, y=700, label=1)
    text = clinic.lead.get("/api/export?format=csv").decode()
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "\t", "\r"))


def test_a_very_long_name_is_refused_with_the_field(clinic: Clinic) -> None:
    refused = clinic.lead.post("/api/raters", name="x" * 201, status=422)
    assert (refused["code"], refused["field"]) == ("invalid", "name")
    assert clinic.lead.post("/api/raters", name="é" * 200)["id"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"key": "12345678", "position": NaN}',
        b'{"key": "12345678", "position": Infinity}',
        b'{"key": "12345678", "position": "\\ud800"}',
        b'{"key": "12345678", "position": 1, "more": 2}',
        b'{"key": "short", "position": 1}',
        b'{"key": "' + b"[" * 2000 + b'"}',
        b'{"key": "12345678", "position": ' + b"[" * 50 + b"]" * 50 + b"}",
        b'{"key": "12345678", "position": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff\xfe",
        b'{"key": "12345678", "position": 1e999}',
        b'{"key": "12345678", "position": ' + b"9" * 5000 + b"}",
    ],
)
def test_odd_bodies_are_refused(clinic: Clinic, body: bytes) -> None:
    headers = {"origin": BASE, "content-type": "application/json"}
    answer = clinic.lead.client.put("/api/rounds/2/position", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert set(answer.json()) >= {"error", "mend", "code"}
