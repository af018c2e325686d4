"""Promise 31: files that mitoscope did not write are never overwritten."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mitoscope import written
from mitoscope.cli import app
from mitoscope.errors import MitoscopeError, OutputError
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.written import RECORD, claim

TRUTH = "image,x,y,label,mpp\nslide.tiff,30,40,mitotic figure,0.25\nslide.tiff,90,50,hard negative,0.25\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a slide, what was found on it, and a study of it."""
    folder = tmp_path_factory.mktemp("inputs")
    write_slide(folder / "slide.tiff", SyntheticSlideConfig.of(width=300, height=200))
    (folder / "truth.csv").write_text(TRUTH, encoding="utf-8")
    (folder / "found.csv").write_text("image,x,y,score\nslide,30,40,0.9\nslide,90,50,0.6\n", encoding="utf-8")
    for words in (
        ["store", "create", "study.mito"],
        ["store", "import", "study.mito", "truth.csv"],
    ):
        run(words, folder)
    return folder


def run(words: list[str], folder: Path) -> MitoscopeError | None:
    """Run a command on the files of a folder; return what it refuses, or None where it is done."""
    here = {"study.mito", *(path.name for path in folder.iterdir())}
    named = [str(folder / word) if word in here else word for word in words]
    done = CliRunner().invoke(app, named)
    if done.exit_code == 0:
        return None
    assert isinstance(done.exception, MitoscopeError), (words, done.output, done.exception)
    return done.exception


SLIDERUNNER = ("--format", "sliderunner")
COMMANDS = {
    "detect": ["detect", "slide.tiff", "--out", "OUT"],
    "demo": ["synth", "--size", "300x200", "--out", "OUT/a.tiff"],
    "export as CSV": ["store", "export", "study.mito", "--format", "csv", "--out", "OUT/a.csv"],
    "export as COCO": ["store", "export", "study.mito", "--format", "coco", "--out", "OUT/a.json"],
    "export as GeoJSON": ["store", "export", "study.mito", "--format", "geojson", "--out", "OUT/a.geojson"],
    "export for SlideRunner": ["store", "export", "study.mito", *SLIDERUNNER, "--out", "OUT/a.sqlite"],
    "evaluate": ["evaluate", "--pred", "found.csv", "--truth", "truth.csv", "--plot", "OUT/a.png"],
    "freeze": ["curate", "freeze", "study.mito", "again", "--out", "OUT/a.json"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_of_the_users_own_is_refused_by_name(inputs: Path, tmp_path: Path, name: str) -> None:
    def command(out: Path) -> list[str]:
        return [word.replace("OUT", str(out)) for word in COMMANDS[name]]

    first = make_directory(tmp_path / "first")
    assert run(command(first), inputs) is None
    written = [path for path in first.iterdir() if path.name != RECORD and path.suffix != ".ledger"]
    assert written
    if name != "freeze":  # each version is another one
        assert run(command(first), inputs) is None, "a second time it is its own"
    for path in written:
        own = tmp_path / f"own {path.name}"
        own.mkdir()
        (own / path.name).write_text("the user's own")
        refused = run(command(own), inputs)
        assert isinstance(refused, OutputError)
        assert refused.where == str(own / path.name)
        assert (own / path.name).read_text() == "the user's own"
        shutil.rmtree(own)


def test_what_was_changed_since_is_kept(inputs: Path, tmp_path: Path) -> None:
    detect = ["detect", "slide.tiff", "--out", str(tmp_path)]
    assert run(detect, inputs) is None
    assert run(detect, inputs) is None
    (tmp_path / "slide.csv").write_text("x,y,score,label\n1,2,0.5,corrected by hand\n")
    refused = run(detect, inputs)
    assert refused is not None
    assert refused.what == "was changed since mitoscope wrote it"
    assert "by hand" in (tmp_path / "slide.csv").read_text()


def test_a_link_to_a_file_of_the_user_is_refused(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("the user's own")
    (tmp_path / "slide.json").symlink_to(tmp_path / "own.txt")
    refused = run(["detect", "slide.tiff", "--out", str(tmp_path)], inputs)
    assert refused is not None
    assert refused.where == str(tmp_path / "slide.json")


def write(path: Path, content: bytes) -> None:
    with atomic_write(path) as stream:
        stream.write(content)


def test_a_single_file_is_known_to_later_commands_by_a_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(written, "cache_folder", lambda: cache)
    path = tmp_path / "patient 7.csv"
    for content in (b"first", b"second"):
        memory = written._Memory()  # as in a process of its own
        monkeypatch.setattr(written, "_MEMORY", memory)
        memory.keeps_seals = True
        write(path, content)
    assert "patient" not in (cache / "mitoscope" / "written").read_text()
    monkeypatch.setattr(written, "_MEMORY", written._Memory())
    with pytest.raises(OutputError, match="not as mitoscope wrote it"):
        write(path, b"third, and nothing is known any more")
    write(path, b"second")  # the same content costs nobody anything


def test_a_file_that_changes_in_use_is_known_by_its_name(tmp_path: Path) -> None:
    folder = make_directory(tmp_path / "run")
    (folder / "own.jsonl").write_text("own")
    with pytest.raises(OutputError, match=r"own\.jsonl"):
        claim(folder / "own.jsonl")
    path = claim(folder / "metrics.jsonl")
    for line in ("1\n", "2\n"):
        with path.open("a") as stream:
            stream.write(line)
    write(claim(path), b"3\n")
    assert (folder / RECORD).read_text().split() == ['["metrics.jsonl",', "null]"]


def test_a_record_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = make_directory(tmp_path / "run")
    write(folder / "a", b"1")
    with (folder / RECORD).open("a") as record:
        record.write('["b", "12')
    for content in (b"2", b"3"):
        write(folder / "a", content)
    (folder / "b").write_bytes(b"own")
    with pytest.raises(OutputError):
        write(folder / "b", b"2")
