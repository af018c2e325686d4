"""What the commands say where something is odd: one line that names the way on."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mitoscope.cli import app, run
from mitoscope.cli.options import parse_choice
from mitoscope.cli.terminal import print_table
from mitoscope.errors import ConfigError
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("synth",), "mitoscope synth --help"),
        (("store", "import", "--foo"), "mitoscope store import --help"),
        (("detect", "slide.tiff", "--out"), "mitoscope detect --help"),
        (("foo",), "mitoscope --help"),
        (("train", "recipe.toml"), "mitoscope train --help"),
    ],
)
def test_a_usage_error_names_the_help_of_its_command(
    words: tuple[str, ...],
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["mitoscope", *words])
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 2
    assert capsys.readouterr().err.endswith(f"(see {command})\n")


@pytest.mark.parametrize("words", [(), ("store",), ("curate",), ("data",), ("bundle",), ("experiment",)])
def test_a_command_without_a_verb_shows_its_help(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["mitoscope", *words])
    with pytest.raises(SystemExit) as left:
        run()
    shown = capsys.readouterr()
    assert (left.value.code, shown.err) == (0, "")
    assert shown.out.splitlines()[0].endswith(" ".join(("mitoscope", *words, "[OPTIONS] COMMAND [ARGS]...")))
    assert "\nCommands:\n" in shown.out


def test_an_experiment_needs_data_except_in_its_smoke_size(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["experiment", "run", "midogpp-table1", "--out", str(tmp_path)])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("--data: the folder of the data is missing")


def test_a_word_that_is_no_choice_is_answered_with_the_choices() -> None:
    assert parse_choice("--stage", " Verified", ("proposals", "verified")) == "verified"
    assert parse_choice("--stage", None, ("proposals", "verified")) is None
    with pytest.raises(ConfigError, match=r"^--quality: choose fast, balanced or best, not 'good'$"):
        parse_choice("--quality", "good", ("fast", "balanced", "best"))


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        (("--size", "600x500"), "give a larger --size"),
        (("--size", "600x500", "--tissue", "0"), "give a larger --tissue"),
        (("--size", "600x500", "--density", "0", "--hot-spot", "0"), ""),
    ],
)
def test_a_painted_slide_without_figures_warns(
    tmp_path: Path, options: tuple[str, ...], warning: str
) -> None:
    done = CliRunner().invoke(app, ["synth", "--out", str(tmp_path / "s.tiff"), *options])
    assert "0 mitotic figures" in done.stdout
    assert ("warning: " in done.stderr) is bool(warning)
    assert warning in done.stderr


@pytest.mark.parametrize("is_built", [True, False])
def test_serve_warns_where_the_page_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_built: bool
) -> None:
    slides, static = tmp_path / "slides", tmp_path / "static"
    slides.mkdir()
    static.mkdir()
    write_slide(slides / "s.tiff", SyntheticSlideConfig.of(width=300, height=200))
    if is_built:
        (static / "index.html").write_text("<!doctype html>", encoding="utf-8")
    monkeypatch.setattr("mitoscope.web.routes.entry.STATIC", static)
    monkeypatch.setattr("mitoscope.web.serve", lambda *_, **__: None)
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "study.mito"), "--slides", str(slides)])
    assert done.exit_code == 0
    assert ("python frontend/build.py" in done.stderr) is not is_built


def test_headings_break_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Wide", ["agreed look-alike percentage"] * 20, [[1.0] * 20])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["agreed"] * 20
    assert any(line.split() == ["percentage"] * 20 for line in lines)
