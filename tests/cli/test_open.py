"""``mitoscope open``: one command from a slide to the page, with nothing to make, name or copy."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from mitoscope.cli.app import app
from mitoscope.cli.open import study_of
from mitoscope.store import Store
from tests.web.making import write_slide


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    folder = tmp_path / "case 7"
    folder.mkdir()
    return write_slide(folder / "section a.tiff", width=1024, height=768)


@contextmanager
def _opened(*arguments: str) -> Iterator[tuple[str, list[str]]]:
    """Run the command until it says its link; then end it as Ctrl-C does."""
    command = [sys.executable, "-m", "mitoscope", "open", "--no-browser", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("open "):
                break
        assert said[-1].startswith("open "), "".join(said)
        link = said[-1].split()[1]
        httpx.get(link.partition("?")[0], trust_env=False)  # from then on Ctrl-C ends it in order
        yield link, said
        process.send_signal(signal.SIGINT)
        said += process.stdout.readlines()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_a_slide_opens_with_one_command_and_its_link_opens_one_browser(slide: Path) -> None:
    with _opened(str(slide)) as (link, said):
        base, _, token = link.partition("/?token=")
        assert base.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=base, trust_env=False) as first, httpx.Client(trust_env=False) as second:
            assert first.get(f"/?token={token}").status_code == 303
            assert second.get(link).status_code == 401, "the link is spent"
            me = first.get("/api/me").json()
    assert me["rater"]["role"] == "lead"
    assert [(one["name"], one["state"]) for one in me["slides"]] == [("section a.tiff", "ok")]
    assert {one["kind"] for one in me["rounds"]} == {"case review", "unstated"}
    assert "stopped" in said[-1]
    study = slide.with_suffix(".mito")
    assert {one.name for one in slide.parent.glob("[!.]*")} == {slide.name, study.name}
    with Store.open(study) as store:
        store.verify()


def test_a_study_that_is_open_already_is_shown(slide: Path) -> None:
    with _opened(str(slide)) as (link, _), httpx.Client(trust_env=False) as first:
        assert first.get(link).status_code == 303
        command = [sys.executable, "-m", "mitoscope", "open", "--no-browser", str(slide)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        said, opens = done.stdout.splitlines()
        assert said == "this study is open already"
        again = opens.removeprefix("open ")
        assert again.partition("?")[0] == link.partition("?")[0]
        assert again != link, "a spent link opens nothing"
        with httpx.Client(trust_env=False) as second:
            assert second.get(again).status_code == 303
        assert first.get(f"{link.partition('?')[0]}api/me").status_code == 200, "the first browser stays in"


def test_slides_open_from_the_menu_of_a_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    path = tmp_path / "applications" / "mitoscope.desktop"
    done = CliRunner().invoke(app, ["open", "--desktop-entry"])
    assert (done.exit_code, done.stdout.partition(":")[0]) == (0, str(path))
    entry = configparser.RawConfigParser(interpolation=None)
    entry.read(path, encoding="utf-8")
    program, *arguments = shlex.split(entry["Desktop Entry"]["Exec"])
    assert Path(program).is_file()
    assert arguments == ["-m", "mitoscope", "open", "%f"]
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    refused = CliRunner().invoke(app, ["open", "--desktop-entry"])
    assert refused.exception is not None
    assert "Linux only" in str(refused.exception)


def test_two_slides_are_open_in_one_browser(slide: Path) -> None:
    other = write_slide(slide.with_name("section b.tiff"), width=1024, height=768, seed=1)
    with (
        _opened(str(slide)) as (first, _),
        _opened(str(other)) as (second, _),
        httpx.Client(trust_env=False) as browser,
    ):
        for link in (first, second):
            assert browser.get(link).status_code == 303
        for link in (first, second):
            me = browser.get(f"{link.partition('?')[0]}api/me")
            assert me.status_code == 200, "a browser has one cookie jar for all ports"


def test_a_folder_is_found_again_with_what_came_meanwhile(slide: Path) -> None:
    folder = slide.parent
    with _opened(str(folder)):
        pass
    write_slide(folder / "section b.tiff", width=1024, height=768, seed=1)
    with _opened(str(folder)) as (_, said):
        assert any("2 of 2 slides" in line for line in said)
    assert (folder / "case 7.mito").is_file()


def test_an_empty_folder_opens_too(tmp_path: Path) -> None:
    with _opened(str(tmp_path)) as (_, said):
        assert any("0 of 0 slides" in line for line in said)


def test_slides_that_cannot_be_written_beside_have_their_study_in_the_data_folder(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert study_of(slide) == slide.with_suffix(".mito")
    can = os.access  # root can write everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: path != slide.parent and can(path, mode))
    study = study_of(slide)
    assert study.parent == tmp_path / "data" / "mitoscope" / "studies"


def test_what_is_no_slide_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("no slide")
    (tmp_path / "text.csv").write_text("x,y")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/link.svs").symlink_to(tmp_path / "text.svs")
    for name in ("none.svs", "text.svs", "text.csv", "elsewhere/link.svs"):
        command = [sys.executable, "-m", "mitoscope", "open", "--no-browser", str(tmp_path / name)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {tmp_path / name}: ")
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "text.mito").exists()
