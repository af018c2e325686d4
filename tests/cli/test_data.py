"""``mitoscope data``: the real command against a server on this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mitoscope.cli import app
from mitoscope.errors import MitoscopeError
from tests.experiments.datasets.host import Host, Served, serving


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as running:
        yield running


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def refused(*arguments: object) -> MitoscopeError:
    error = run(*arguments).exception
    assert isinstance(error, MitoscopeError)
    return error


def serve_midogpp(host: Host, size: int = 3000) -> bytes:
    body = bytes(range(250)) * (size // 250)
    for number in (40282096, 40282099, 40282102):
        host.files[f"/files/{number}"] = Served(body)
    return body


def test_the_list_names_all_and_what_is_known_of_one() -> None:
    table = run("list").output
    assert all(name in table for name in ("ccmct", "midog21", "CC BY-NC-ND 2.0", "11,937", "register"))
    assert "\x1b" not in table
    known = json.loads(run("list", "--json").output)["datasets"]
    assert len(known) == 11
    one = run("list", "midesec").output
    assert "not published mitotic figures" in one
    assert "forbids     training a model that is passed on" in one
    assert json.loads(run("list", "midog++", "--json").output)["contents"]["cases"] == 503
    assert "there are ami-br" in str(refused("list", "none"))


def test_the_licence_is_shown_before_anything_is_asked(host: Host, tmp_path: Path) -> None:
    result = run("get", "midog21", "--data", tmp_path / "new", "--url-base", host.url)
    assert "forbids     commercial use" in result.stderr
    assert isinstance(result.exception, MitoscopeError)
    assert result.exception.exit_status == 2
    assert "--accept-licence" in str(result.exception)
    assert host.asked == []
    assert not (tmp_path / "new").exists()


def test_what_needs_a_registration_says_where(tmp_path: Path) -> None:
    error = refused("get", "tupac16", "--data", tmp_path, "--accept-licence")
    assert error.exit_status == 2
    assert "https://tupac.grand-challenge.org/Dataset/" in str(error)


def test_a_part_is_fetched_and_checked(host: Host, tmp_path: Path) -> None:
    body = serve_midogpp(host)
    arguments = ("get", "midogpp", "--data", tmp_path, "--accept-licence", "--url-base", host.url)
    result = run(*arguments, "--only", "00[12].tiff")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "images" / "002.tiff").read_bytes() == body
    assert "2 files fetched, 0 were there" in result.stdout
    again = run(*arguments, "--only", "00[123].tiff")
    assert again.exit_code == 1
    assert "images/003.tiff: the server answers 404 Not Found" in again.stderr
    assert "0 files fetched, 2 were there, 1 did not come" in again.stdout
    checked = run("check", "midogpp", "--data", tmp_path, "--no-open", "--checksums")
    assert checked.exit_code == 1
    assert "regions: 003.tiff … 553.tiff (501)" in checked.output
    found = json.loads(run("check", "midogpp", "--data", tmp_path, "--no-open", "--json").stdout)
    assert (found["sound"], found["groups"]["images"]["found"]) == (False, 2)
    assert found["groups"]["images"]["missing"][0] == "003.tiff"
    (tmp_path / "images" / "001.tiff").write_bytes(b"changed" + body[7:])
    assert "images/001.tiff has another content" in run(
        "check", "midogpp", "--data", tmp_path, "--no-open", "--checksums"
    ).output.replace("\n              ", " ")


def test_a_sound_folder_is_status_0(tmp_path: Path) -> None:
    from mitoscope.experiments.datasets import find_dataset
    from mitoscope.experiments.datasets.match import file_names

    one = find_dataset("cmc")
    for key in ("slides", "labels"):
        for name in file_names(one, key):
            (tmp_path / name).write_bytes(b"x")
    result = run("check", "cmc", "--data", tmp_path, "--no-open")
    assert result.exit_code == 0, result.output
    assert "21 of 21 whole slides" in result.output
    assert "lie in ., not in WSI" in result.output
    assert result.output.count("(not needed)") == 3
    for variant in ("MEL", "ODAEL_TR", "CODAEL_TR"):
        assert f"MITOS_WSI_CMC_{variant}.sqlite" in result.output


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_download_goes_on_where_it_was(host: Host, tmp_path: Path, how: signal.Signals) -> None:
    body = serve_midogpp(host, size=1_000_000)
    host.pause_s = lambda: time.sleep(0.01)
    arguments = ["get", "midogpp", "--data", str(tmp_path), "--accept-licence", "--url-base", host.url]
    command = [sys.executable, "-m", "mitoscope", "data", *arguments, "--only", "001.tiff"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    part = tmp_path / "images" / "001.tiff.part"
    for _ in range(3000):
        if child.poll() is not None or (part.exists() and part.stat().st_size > 20_000):
            break
        time.sleep(0.01)
    child.send_signal(how)
    _, stderr = child.communicate(timeout=60)
    kept = part.stat().st_size
    assert 20_000 < kept < len(body), stderr
    assert part.read_bytes() == body[:kept]
    if how == signal.SIGINT:
        assert child.returncode == 1
        assert "error: stopped; repeat the same command to continue" in stderr
    host.pause_s, host.asked = None, []
    assert run(*arguments, "--only", "001.tiff").exit_code == 0
    assert host.asked == [("/files/40282099", f"bytes={kept}-")]
    assert (tmp_path / "images" / "001.tiff").read_bytes() == body
