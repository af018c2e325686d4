"""Promise 22: only this page can write, and no other page can read."""

from __future__ import annotations

import io
import itertools
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mitoscope.errors import ConfigError
from mitoscope.web import serve
from mitoscope.web.gate import BODY_MAX_BYTES, HEADERS, Gate, host_name, is_loopback

from .making import BASE, Clinic, Person, enter, key

WRITE = "/api/rounds/1/position"
GOOD = {"origin": BASE, "content-type": "application/json"}


def _send(person: Person, method: str, headers: dict[str, str], *, content: bytes = b"{}") -> tuple[int, str]:
    answer = person.client.request(method, WRITE, content=content, headers=headers)
    return answer.status_code, answer.json().get("code", "")


FOREIGN_HOSTS = (
    "example.org",
    "127.0.0.1.example.org",
    "localhost.example.org",
    "127.0.0.2",
    "127.0.0.1@example.org",
    "example.org:80",
    "0.0.0.0",
    "",
    "[::2]",
    "xn--localhost",
)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_name_of_this_machine_reads_nothing(clinic: Clinic, host: str) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/me"), ("PUT", WRITE)):
        answer = clinic.lead.client.request(method, path, headers={**GOOD, "host": host}, content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")


FOREIGN_ORIGINS = (
    None,
    "null",
    "",
    "http://example.org",
    "http://127.0.0.1.example.org",
    "http://127.0.0.1:81",
    "http://localhost",
    "https://example.org/?http://127.0.0.1",
    "ftp://127.0.0.1",
    "file://",
    "http://127.0.0.1@example.org",
    "127.0.0.1",
)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_page_writes_nothing(clinic: Clinic, origin: str | None) -> None:
    headers = {"content-type": "application/json"} | ({} if origin is None else {"origin": origin})
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert _send(clinic.lead, method, headers) == (403, "foreign_origin")


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/json-patch",
        "",
    ],
)
def test_a_form_writes_nothing(clinic: Clinic, kind: str) -> None:
    assert _send(clinic.lead, "PUT", {"origin": BASE, "content-type": kind}) == (415, "not_json")


def test_a_page_of_another_site_loads_no_tile_as_a_picture(clinic: Clinic) -> None:
    for site, dest, status in (
        ("cross-site", "image", 403),
        ("same-site", "empty", 200),
        ("none", "document", 200),
    ):
        headers = {"sec-fetch-site": site, "sec-fetch-dest": dest}
        answer = clinic.lead.client.get("/api/me", headers=headers)
        assert answer.status_code == (403 if site != "none" else status)
    linked = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
    assert clinic.lead.client.get("/?token=x", headers=linked).status_code == 401


def test_every_route_asks_who_is_there(clinic: Clinic) -> None:
    stranger = TestClient(clinic.app, base_url=BASE)
    asked = 0
    for path, methods in _routes(clinic):
        for method in methods:
            answer = stranger.request(method, path, headers=GOOD, content=b"{}")
            assert (answer.status_code, answer.json()["code"]) == (401, "unknown_token"), (method, path)
            asked += 1
    assert asked > 55


def _routes(clinic: Clinic) -> list[tuple[str, list[str]]]:
    """Return all paths of the API, filled in, with their methods."""
    described = clinic.lead.get("/api/openapi.json")["paths"]
    queries = {"crop.jpg": "?x=1&y=1", "slides/{slide_id}/hot-spot": "?round=1"}
    found = []
    for path, methods in described.items():
        query = next((text for end, text in queries.items() if path.endswith(end)), "")
        found.append((re.sub(r"{[a-z_]+}", "1", path) + query, [one.upper() for one in methods]))
    return found


def test_a_link_opens_until_it_is_renewed_and_a_door_that_is_closed_stays_closed(clinic: Clinic) -> None:
    added = clinic.lead.post("/api/raters", name="guest")
    guest = Person(enter(clinic.app, added["link"]))
    guest.get("/api/me")
    fresh = clinic.lead.post(f"/api/raters/{added['id']}/link")["link"]
    stranger = TestClient(clinic.app, base_url=BASE)
    assert stranger.get(added["link"]).status_code == 401
    assert stranger.get("/api/me").status_code == 401
    assert guest.get("/api/me", status=401)["code"] == "unknown_token"
    guest = Person(enter(clinic.app, fresh))
    guest.get("/api/me")
    clinic.lead.put(f"/api/raters/{added['id']}", is_open=False)
    assert guest.get("/api/me", status=401)["code"] == "unknown_token"
    assert stranger.get(fresh).status_code == 401


def test_the_cookie_is_for_this_page_alone_and_the_token_leaves_the_address(clinic: Clinic) -> None:
    link = clinic.lead.post("/api/raters", name="guest")["link"]
    client = TestClient(clinic.app, base_url=BASE, follow_redirects=False)
    answer = client.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].casefold()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert client.cookies["mitoscope"] not in link


def test_only_hashes_of_tokens_and_cookies_are_kept(clinic: Clinic) -> None:
    link = clinic.lead.post("/api/raters", name="guest")["link"]
    client = enter(clinic.app, link)
    content = clinic.store.path.read_bytes()
    assert link.partition("token=")[2].encode() not in content
    assert client.cookies["mitoscope"].encode() not in content
    assert clinic.lead.client.cookies["mitoscope"].encode() not in content


def test_leaving_ends_the_visit(clinic: Clinic) -> None:
    guest = clinic.person("guest")
    cookie = guest.client.cookies["mitoscope"]
    guest.ask("POST", "/api/leave", {}, status=204)
    guest.client.cookies.set("mitoscope", cookie, domain="127.0.0.1")
    assert guest.get("/api/me", status=401)["code"] == "unknown_token"


def test_headers_stand_on_every_answer(clinic: Clinic) -> None:
    client = clinic.lead.client
    for path, headers in (
        ("/", {}),
        ("/api/me", {}),
        ("/api/none", {}),
        ("/api/me", {"host": "example.org"}),
    ):
        answer = client.get(path, headers=headers)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert "unsafe" not in answer.headers["content-security-policy"]
    assert client.get("/api/me").headers["cache-control"] == "no-store"


def test_a_body_beyond_the_limit_is_refused_whether_it_says_its_length_or_not(clinic: Clinic) -> None:
    big = b'{"key": "' + b"x" * BODY_MAX_BYTES + b'"}'
    assert _send(clinic.lead, "PUT", GOOD, content=big) == (413, "too_large")

    def chunks() -> Any:
        for _ in range(20):
            yield b" " * (1 << 20)

    answer = clinic.lead.client.request("PUT", WRITE, content=chunks(), headers=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_roles(clinic: Clinic) -> None:
    guest = clinic.person("guest")
    for path in ("raters", "rounds", "study", "progress", "agreement", "overrules", "export"):
        assert guest.get(f"/api/{path}", status=403)["code"] == "not_yours"
    for path, body in (
        ("/api/raters", {"name": "x"}),
        ("/api/rounds", {"name": "x", "kind": "screening"}),
        ("/api/settle", {"policy": "majority"}),
        ("/api/reviews", {"name": "x", "model": "m"}),
        ("/api/boards", {"name": "x", "cells": [1], "x": [0], "y": [0]}),
    ):
        assert guest.post(path, status=403, **body)["code"] == "not_yours"
    round_id = clinic.lead.get("/api/me")["rounds"][0]["id"]
    assert guest.get("/api/me")["rounds"] == []
    assert guest.get(f"/api/rounds/{round_id}/queue", status=403)["code"] == "not_yours"
    clinic.lead.put(f"/api/raters/{clinic.lead.id}", is_open=False, status=422)


def test_work_in_a_closed_round_is_refused(clinic: Clinic) -> None:
    round_id = clinic.lead.get("/api/me")["rounds"][0]["id"]
    clinic.lead.put(f"/api/rounds/{round_id}", is_open=False)
    refused = clinic.lead.act(round_id, kind="create", slide=clinic.slide, x=1, y=1, status=403)
    assert refused["code"] == "closed"
    clinic.lead.get(f"/api/rounds/{round_id}/slides/{clinic.slide}/cells")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_a_server_for_others_without_links_is_refused(clinic: Clinic, host: str) -> None:
    with pytest.raises(ConfigError, match="without signing in"):
        serve(clinic.store, clinic.catalogue, host=host, visitor_without_link=1)


def test_names_of_hosts() -> None:
    assert [is_loopback(one) for one in ("127.0.0.1", "::1", "[::1]", "localhost", "127.8.8.8")] == [True] * 5
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org")))
    assert [host_name(one) for one in ("a:1", "[::1]:80", "[::1]", "A", "a:b")] == [
        "a",
        "[::1]",
        "[::1]",
        "a",
        "a:b",
    ]


async def _let_all_in(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": b"{}"})


def test_a_check_of_the_host_alone_or_of_the_origin_alone_lets_something_through() -> None:
    """Control: each check alone fails against one of the two attacks; the gate holds against both."""

    class HostOnly(Gate):
        def _refusal(self, method: str, path: str, headers: Any) -> Any:
            return super()._refusal("GET", path, headers)

    class OriginOnly(Gate):
        def __init__(self, app: Any) -> None:
            super().__init__(app, hosts=["evil.example"])

    forged = {"origin": "http://evil.example", "content-type": "application/json"}
    rebound = {"host": "evil.example", "origin": "http://evil.example", "content-type": "application/json"}
    for gate, attack in itertools.product((HostOnly, OriginOnly, Gate), (forged, rebound)):
        client = TestClient(gate(_let_all_in), base_url=BASE)
        status = client.post("/", headers=attack, content=b"{}").status_code
        falls = (gate is HostOnly and attack is forged) or (gate is OriginOnly and attack is rebound)
        assert status == (200 if falls else 403)


def test_a_key_is_once_for_one_rater_and_one_request(clinic: Clinic) -> None:
    one = key()
    clinic.lead.post("/api/raters", name="a", key=one)
    assert clinic.lead.post("/api/raters", name="a", key=one)["is_repeated"]
    assert clinic.lead.post("/api/raters", name="b", key=one, status=409)["code"] == "key_used"


def test_a_crowd_worker_does_not_lead(clinic: Clinic) -> None:
    worker = clinic.person("Worker", kind="crowd")
    assert clinic.lead.put(f"/api/raters/{worker.id}", role="lead", status=422)["field"] == "role"
    refused = clinic.lead.post("/api/raters", name="Other", kind="crowd", role="lead", status=422)
    assert refused["code"] == "invalid"
    rater = clinic.person("Rater")
    rater.get("/api/raters", status=403)
    clinic.lead.put(f"/api/raters/{rater.id}", role="lead")
    assert rater.get("/api/raters")["addresses"] == []
    clinic.lead.put(f"/api/raters/{rater.id}", is_open=False)
    rater.get("/api/me", status=401)
    clinic.lead.put(f"/api/raters/{rater.id}", is_open=True)
    link = clinic.lead.post(f"/api/raters/{rater.id}/link")["link"]
    assert Person(enter(clinic.app, link)).get("/api/me")["rater"]["role"] == "lead"


def test_a_script_needs_a_token_and_no_forged_header(clinic: Clinic) -> None:
    reader = clinic.lead.post("/api/raters", name="script", kind="expert", role="rater")
    token = reader["link"].rpartition("token=")[2]
    script = TestClient(clinic.app, base_url=BASE, headers={"authorization": f"Bearer {token}"})
    assert script.get("/api/me").json()["rater"]["name"] == "script"
    round_id = clinic.round("read", "second read", Person(script, reader["id"]))
    body = {"key": key(), "position": {"x": 1}}
    assert script.put(f"/api/rounds/{round_id}/position", json=body).status_code == 200
    # A rater's token is a rater's, whatever cookie comes beside it.
    lead = dict(clinic.lead.client.cookies)
    both = TestClient(clinic.app, base_url=BASE, cookies=lead, headers=dict(script.headers))
    assert both.get("/api/me").json()["rater"]["name"] == "script"
    clinic.lead.post(f"/api/raters/{reader['id']}/link")
    gone = script.get("/api/me")
    assert (gone.status_code, gone.json()["code"]) == (401, "unknown_token")


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({"authorization": "Bearer guessed"}, (401, "unknown_token")),
        ({"authorization": "Bearer"}, (401, "unknown_token")),
        ({"authorization": "Basic bGVhZDo="}, (403, "foreign_origin")),
        ({"authorization": "Bearer guessed", "origin": "https://example.org"}, (403, "foreign_origin")),
        ({"authorization": "Bearer guessed", "sec-fetch-site": "cross-site"}, (403, "foreign_origin")),
    ],
)
def test_a_page_of_another_site_gains_nothing_by_a_token_header(
    clinic: Clinic, headers: dict[str, str], answer: tuple[int, str]
) -> None:
    """The lead's cookie comes along, as a browser would send it."""
    assert _send(clinic.lead, "PUT", {"content-type": "application/json", **headers}) == answer


def test_no_site_is_told_that_it_may_send_a_token(clinic: Clinic) -> None:
    asked = {"origin": "https://example.org", "access-control-request-headers": "authorization"}
    answer = clinic.lead.client.options(WRITE, headers={**asked, "access-control-request-method": "PUT"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def _sent(request: urllib.request.Request) -> bytes | None:
    assert request.data is None or isinstance(request.data, bytes)
    return request.data


def test_the_script_of_the_documents_runs(
    clinic: Clinic, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = clinic.lead.post("/api/raters", name="program", kind="expert", role="lead")
    clinic.round("first reading", "second read", clinic.lead)
    client = TestClient(clinic.app, base_url=BASE)

    def opened(request: urllib.request.Request) -> io.BytesIO:
        headers = dict(request.header_items())
        answer = client.request(
            request.method or "", request.full_url, content=_sent(request), headers=headers
        )
        assert answer.status_code == 200, answer.text
        return io.BytesIO(answer.content)

    monkeypatch.setattr("urllib.request.urlopen", opened)
    text = (project / "docs" / "web.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    stated = {"http://127.0.0.1:8411": BASE, "the part of the link after ?token=": lead["link"][-32:]}
    for words, value in stated.items():
        assert words in code
        code = code.replace(words, value)
    exec(code, {})
    assert "first reading" in capsys.readouterr().out
