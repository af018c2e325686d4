"""Bad input: one line that says what, where and the mend, exit status 2, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Run

Make = Callable[[Path], Path]


def _text(folder: Path) -> Path:
    path = folder / "text.svs"
    path.write_text("this is not a slide\n" * 50, encoding="utf-8")
    return path


def _empty(folder: Path) -> Path:
    path = folder / "empty.tif"
    path.touch()
    return path


def _truncated(folder: Path) -> Path:
    path = folder / "cut.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (300, 300, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _directory(folder: Path) -> Path:
    path = folder / "directory.svs"
    path.mkdir()
    return path


def _missing(folder: Path) -> Path:
    return folder / "missing.svs"


def _grey(folder: Path) -> Path:
    path = folder / "grey.png"
    Image.fromarray(np.full((300, 300), 200, np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (_text, "not a slide"),
        (_empty, "empty"),
        (_truncated, "truncated"),
        (_directory, "directory"),
        (_missing, "no such file"),
        (_grey, "grey"),
    ],
)
def test_what_is_no_slide_is_refused(mitoscope: Run, tmp_path: Path, make: Make, what: str) -> None:
    slide = make(tmp_path)
    done = mitoscope("detect", slide, "--mpp", "0.25", "--out", tmp_path / "out")
    check_refusal(done.returncode, done.stderr, slide.name, what)
    assert_nothing_left(tmp_path / "out")


def check_refusal(status: int, stderr: str, where: str, what: str) -> None:
    assert status == 2, stderr
    lines = [line for line in stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, stderr
    assert where in lines[0]
    assert what.lower() in lines[0].lower()
    assert "Traceback" not in stderr


def assert_nothing_left(out: Path) -> None:
    assert not out.exists() or [path.name for path in out.rglob("*")] == []


@pytest.mark.parametrize(
    ("arguments", "where", "what"),
    [
        ((), "field.png", "--mpp"),
        (("--mpp", "17"), "--mpp", "[0.05, 5]"),
        (("--mpp", "0"), "--mpp", "[0.05, 5]"),
        (("--mpp", "nan"), "--mpp", "[0.05, 5]"),
        (("--mpp", "0.25", "--threshold", "1.5"), "threshold", "[0, 1]"),
        (("--mpp", "0.25", "--threshold", "-0.1"), "threshold", "[0, 1]"),
        (("--mpp", "0.25", "--roi", "-5,0,10,10"), "region", "outside"),
        (("--mpp", "0.25", "--roi", "90000,0,10,10"), "roi", "outside"),
        (("--mpp", "0.25", "--roi", "1,2,3"), "region", "four"),
        (("--mpp", "0.25", "--model", "no-such-bundle"), "no-such-bundle", "known"),
        (("--mpp", "0.25", "--formats", "csv,xls"), "xls", "known"),
    ],
)
def test_bad_options_are_refused(
    mitoscope: Run, field: Path, tmp_path: Path, arguments: tuple[str, ...], where: str, what: str
) -> None:
    done = mitoscope("detect", field, "--out", tmp_path / "out", *arguments)
    check_refusal(done.returncode, done.stderr, where, what)
    assert_nothing_left(tmp_path / "out")


def test_an_unknown_option_is_one_line_too(mitoscope: Run) -> None:
    done = mitoscope("detect", "a.svs", "--oout", "x")
    check_refusal(done.returncode, done.stderr, "--oout", "no such option")


def test_a_damaged_bundle_is_refused_before_the_first_tile(
    mitoscope: Run, field: Path, tmp_path: Path
) -> None:
    from mitoscope.bundle import load_bundle

    bundle = tmp_path / "bundle"
    shutil.copytree(load_bundle().folder, bundle)
    onnx = next(bundle.glob("*.onnx"))
    content = bytearray(onnx.read_bytes())
    content[len(content) // 2] ^= 1
    onnx.write_bytes(content)
    done = mitoscope("detect", field, "--mpp", "0.25", "--model", bundle, "--out", tmp_path / "out")
    check_refusal(done.returncode, done.stderr, onnx.name, "hash")
    assert_nothing_left(tmp_path / "out")


def test_an_output_folder_that_is_a_file_is_refused(mitoscope: Run, field: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    done = mitoscope("detect", field, "--mpp", "0.25", "--out", tmp_path / "out")
    check_refusal(done.returncode, done.stderr, "out", "cannot be written")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_an_output_folder_without_permission_is_refused(field: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    out = tmp_path / "out"
    out.mkdir()
    out.chmod(stat.S_IRUSR | stat.S_IXUSR)
    command = [sys.executable, "-m", "mitoscope", "detect", str(field), "--mpp", "0.25", "--out", str(out)]
    if os.geteuid() == 0:  # root ignores permissions unless it lays that power down
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    out.chmod(stat.S_IRWXU)
    check_refusal(done.returncode, done.stderr, "out", "cannot be written")
    assert_nothing_left(out)


def test_a_full_disk_is_an_error_and_the_same_command_works_once_there_is_space(
    mitoscope: Run, field: Path, tmp_path: Path
) -> None:
    import subprocess
    import sys

    out = tmp_path / "out"
    arguments = ["detect", str(field), "--mpp", "0.25", "--out", str(out)]
    # Room for the ledger and the table, not for the report.
    limit = ["bash", "-c", 'ulimit -f 150; exec "$@"', "bash"]
    limited = [*limit, sys.executable, "-m", "mitoscope", *arguments]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=120, check=False)
    check_refusal(done.returncode, done.stderr, "out", "cannot be written")
    left = {path.suffix for path in out.iterdir()}
    assert ".part" not in left
    assert ".json" not in left, "a manifest would vouch for what is not there"
    again = mitoscope(*arguments)
    assert again.returncode == 0, again.stderr
    assert (out / "field.html").exists()
