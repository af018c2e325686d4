"""What every command takes: settings from four places, errors in JSON, logs, quiet, completion."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mitoscope.cli import app, run
from mitoscope.cli.common import SHORT, variable
from mitoscope.progress import progress

Outcome = tuple[int, str, str]
Call = Callable[..., Outcome]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command in a folder of its own, with a home of its own; return status, output and errors."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("mitoscope.cli.common.config_folder", lambda: tmp_path / "user")
    Path("cells.csv").write_text("image,x,y,label\na.svs,10,20,mitotic figure\n")

    def ask(*words: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["mitoscope", *words])
        with pytest.raises(SystemExit) as left:
            run()
        shown = capsys.readouterr()
        return int(left.value.code or 0), shown.out, shown.err

    return ask


def _area(outcome: Outcome) -> float:
    assert outcome[0] == 0, outcome
    counted: Any = json.loads(outcome[1])
    return float(counted["requested_mm2"])


def test_an_option_goes_before_a_variable_before_the_project_before_the_user(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("count", "cells.csv", "--mpp", "0.25", "--json")
    assert _area(call(*command)) == 2.37
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "mitoscope.toml").write_text("[count]\narea = 1.0\nmpp = 0.5\n")
    assert _area(call(*command)) == 1.0
    Path("mitoscope.toml").write_text("[count]\narea = 1.5\n")
    assert _area(call(*command)) == 1.5
    monkeypatch.setenv("MITOSCOPE_COUNT_AREA", "1.75")
    assert _area(call(*command)) == 1.75
    assert _area(call(*command, "--area", "2")) == 2.0
    monkeypatch.delenv("MITOSCOPE_COUNT_AREA")
    monkeypatch.setenv("MITOSCOPE_CONFIG", "")
    assert _area(call(*command)) == 2.37
    monkeypatch.setenv("MITOSCOPE_CONFIG", str(tmp_path / "user" / "mitoscope.toml"))
    assert _area(call(*command)) == 1.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("[count]\naera = 1\n", "unknown setting 'aera' in [count]; allowed: area,"),
        ("area = 1\n", "no command 'area'; put settings below [COMMAND]"),
        ("[store.imprt]\nformat = 'coco'\n", "no command 'store imprt'"),
        ("count = 1\n", "no command 'count'"),
        ("[count\n", "not TOML"),
        ("[count]\narea = 'wide'\n", "Invalid value for '--area'"),
    ],
)
def test_a_setting_that_nothing_takes_is_refused(call: Call, settings: str, words: str) -> None:
    Path("mitoscope.toml").write_text(settings)
    command = ("store", "import", "s.mito", "x.csv") if "store" in settings else ("count", "cells.csv")
    status, _, said = call(*command)
    assert status == 2
    assert words in said
    assert call("count", "--help")[0] == 0


def test_with_json_an_error_is_json_too(call: Call) -> None:
    status, printed, said = call("count", "absent.csv", "--json")
    error = json.loads(printed)["error"]
    assert (status, error["exit_status"], error["type"]) == (2, 2, "FormatError")
    assert said == f"error: {error['message']}\n"
    assert error["where"] == "absent.csv"
    status, printed, _ = call("store", "info", "--jason", "--json")
    assert json.loads(printed)["error"]["type"] == "UsageError"
    assert call("count", "absent.csv")[1] == ""


def test_a_log_is_added_to_and_nothing_else_is(call: Call) -> None:
    assert call("count", "cells.csv", "--mpp", "0.25", "--log-file", "log.txt")[0] == 0
    assert call("--log-file", "log.txt", "count", "absent.csv")[0] == 2
    first, *lines = Path("log.txt").read_text("utf-8").splitlines()
    assert first == "# log of mitoscope"
    assert "count cells.csv --mpp 0.25 --log-file log.txt: status 0" in lines[0]
    assert "ERROR mitoscope.command: absent.csv: cannot be read" in lines[1]
    assert lines[2].partition(": status ")[2].startswith("2,")
    status, _, said = call("count", "cells.csv", "--log-file", "cells.csv")
    assert (status, said.startswith("error: cells.csv: is not a log file of mitoscope")) == (2, True)
    assert Path("cells.csv").read_text().startswith("image,x,y")


def test_quiet_is_without_progress_for_one_command(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("count", "cells.csv", "--mpp", "0.25", "-q")[0] == 0
    for wanted in ("", "job: 1 of 1 mm²\n"):
        with progress("job", unit="mm²") as report:
            report(1.0, 1.0)
        assert capsys.readouterr().err == wanted
        call("count", "cells.csv", "--mpp", "0.25")


def test_all_commands_report_in_json_and_short_names_mean_the_same() -> None:
    short: dict[str, set[str]] = {}
    variables: list[str] = []
    silent = []

    def walk(command: Any, words: tuple[str, ...]) -> None:
        for name, each in getattr(command, "commands", {}).items():
            walk(each, (*words, name))
        given = [one for option in command.params for one in getattr(option, "opts", ())]
        names = set(given)
        assert len(given) == len(names), f"{' '.join(words)}: {given}"
        if not getattr(command, "commands", {}) and "--json" not in names:
            silent.append(" ".join(words))
        for option in command.params:
            for one in getattr(option, "opts", ()):
                if len(one) == 2:
                    short.setdefault(one, set()).add(option.opts[0])
            if words and getattr(option, "envvar", None):
                variables.append(option.envvar)

    walk(get_command(app), ())
    assert silent == ["open", "serve"], "every other command reports, and does so in JSON as well"
    assert short.pop("-f") == {"--format", "--formats"}
    assert {name: long for name, (long,) in short.items()} == {
        "-j": "--threads",
        "-m": "--model",
        "-o": "--out",
        "-p": "--protocol",
        "-q": "--quiet",
        "-v": "--verbose",
    }
    assert len(variables) == len(set(variables)) > 100
    assert variable(("store", "import"), "--no-resume") == "MITOSCOPE_STORE_IMPORT_NO_RESUME"


def test_what_is_made_is_reported_in_json(call: Call) -> None:
    status, said, _ = call("synth", "--size", "300x200", "-o", "s.tiff", "--json", "-q")
    made = json.loads(said)
    assert (status, made["slide"], made["size_px0"]) == (0, "s.tiff", [300, 200])
    assert all(Path(path).exists() for path in made["truth"])
    verified = json.loads(call("bundle", "verify", "semi-fcn", "--json")[1])["bundles"]
    assert [one["bundle"].split()[0] for one in verified] == ["semi-fcn"]


def test_a_shell_completes_commands_and_options() -> None:
    asked = {"COMP_WORDS": "mitoscope store ag", "COMP_CWORD": "2", "_MITOSCOPE_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-m", "mitoscope"],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin", **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["agreement"]


def test_the_page_on_configuration_is_true(call: Call, project: Path) -> None:
    page = (project / "docs" / "configuration.md").read_text("utf-8")
    for short, longs in re.findall(r"^\| `(-\w)` \| (.+) \|$", page, re.MULTILINE):
        assert re.findall(r"`(--[\w-]+)`", longs) == [long for long, one in SHORT.items() if one == short]
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    Path("mitoscope.toml").write_text(example)
    assert call("count", "cells.csv", "--mpp", "0.25")[0] == 0
    assert "absent.svs: no such file" in call("detect", "absent.svs")[2]
    assert call("evaluate", "--pred", "absent", "--truth", "absent")[2].startswith("error: absent: ")
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert json.loads(shown) == json.loads(call("count", "absent.csv", "--json")[1])
