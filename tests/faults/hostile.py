"""Files that nobody should give to a command, and the commands that take files: one run of all of them.

Run as a script in a process of its own: ``python hostile.py FOLDER`` writes one line of JSON for each pair of
command and file to standard output.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

SECONDS = 120
"""Time for one command: what waits for a pipe for ever is found, however busy the machine."""


PIPE = "pipe"
PIPES = (
    *(".json", ".geojson", ".csv", ".xml", ".parquet", ".sqlite"),
    *(".mito", ".dcm", ".svs", ".tiff"),
)
"""Endings of pipes. Each goes through every door that reads annotations, in every run."""
FORMATS = {".parquet": "parquet", ".dcm": "dicom", ".xml": "asap", ".tiff": "ome"}
"""Endings of files whose format is named, too: then nothing is asked of their content first."""
_DOORS = frozenset({"count", "evaluate", "store", "bundle"})


def make_files(folder: Path, good: Path) -> Iterator[Path]:
    """Write hostile files of each kind and yield their paths.

    Parameters
    ----------
    folder : Path
        Where to.
    good : Path
        A folder of files that are read well; some are cut short or bent here.
    """
    folder.mkdir()

    def write(name: str, content: bytes) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    endings = (".csv", ".json", ".geojson", ".sqlite", ".mito", ".tiff", ".svs", ".dcm", ".toml", ".xml", "")
    contents = {
        "empty": b"",
        "text": "a pathologist's note: naïve\n".encode(),
        "latin": "x,y\n1,2\nMitosefigur für\xe4\n".encode("latin-1"),
        "nul": b"image,x,y,label\0\0\n" + b"\0" * 500,
        "bom": b"\xef\xbb\xbf",
        "utf16": "image,x,y,label\na,1,2,mitosis\n".encode("utf-16"),
        "random": bytes((i * 7919 + (i >> 3) * 104729) % 256 for i in range(20_000)),
    }
    for ending in endings:
        for name, content in contents.items():
            yield write(f"{name}{ending}", content)
    yield write("deep.json", b"[" * 200_000)
    yield write("deep-object.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    lists = b"[" * 100_000 + b"]" * 100_000
    yield write("deep.geojson", b'{"type":"FeatureCollection","features":' + lists + b"}")
    yield write("deep.toml", b"a = " + b"[" * 50_000 + b"]" * 50_000)
    yield write("deep.xml", b"<a>" * 50_000 + b"</a>" * 50_000)
    laughs = b'<!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12)
    )
    yield write("laughs.xml", laughs + b"]><l>&m;</l>")
    yield write("big-number.json", b'{"a": ' + b"9" * 100_000 + b"}")
    yield write("big-number.toml", b"a = " + b"9" * 20_000)
    yield write("not-finite.json", b'{"images": NaN, "annotations": Infinity, "categories": -Infinity}')
    yield write("surrogate.json", b'{"type": "FeatureCollection", "features": [{"name": "\\ud800"}]}')
    for value in (b"null", b"[]", b"{}", b"1", b'"text"', b"[null, 1, {}]"):
        yield write(f"json-{value.hex()}.json", value)
    yield write("rows.csv", b"image,x,y,score,label\n" + b"a.tiff,1,2,0.5,mitotic figure\n" * 1_000_000)
    yield write("wide.csv", b"x," * 200_000 + b"y\n")
    yield write("quote.csv", b'image,x,y,label\n"' + b"a" * 1_000_000)
    yield write("long-field.csv", b"image,x,y,label\n" + b"a" * 300_000 + b",1,2,mitosis\n")
    yield write("n" * 240 + ".csv", b"image,x,y,score\na,1,2,0.5\n")
    yield write("line\nbreak.csv", b"image,x,y,score\na,1,2,0.5\n")
    yield write(os.fsdecode(b"not-\xff-utf8.csv"), b"image,x,y,score\na,1,2,0.5\n")
    for path in sorted(path for path in good.iterdir() if path.is_file()):
        content = path.read_bytes()
        for share in (0.02, 0.5, 0.97):
            yield write(f"cut-{share}-{path.name}", content[: int(len(content) * share)])
        for place in (0, 20, 100, len(content) // 2):
            bent = bytearray(content)
            for k in range(place, min(place + 16, len(bent))):
                bent[k] ^= 0xA5
            yield write(f"bent-{place}-{path.name}", bytes(bent))
    study = folder / "bent-table.mito"
    shutil.copy(good / "study.mito", study)
    with contextlib.closing(sqlite3.connect(study)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            with contextlib.suppress(sqlite3.Error):
                column = connection.execute(f"PRAGMA table_info({table})").fetchall()[-1][1]
                connection.execute(f"UPDATE {table} SET {column} = CAST(x'ff00fe' AS TEXT)")
        connection.commit()
    yield study
    yield folder / "not-there.csv"
    # Devices of our own: what replaces a device of the machine would do harm.
    with contextlib.suppress(PermissionError):
        for name, minor in (("null", 3), ("zero", 5), ("full", 7)):
            os.mknod(folder / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            yield folder / name
    for ending in PIPES:
        os.mkfifo(folder / f"{PIPE}{ending}")
    for ending in PIPES:
        yield folder / f"{PIPE}{ending}"
    (folder / "directory.csv").mkdir()
    yield folder / "directory.csv"
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    yield folder / "loop.csv"
    (folder / "dangling.tiff").symlink_to(folder / "not-there.tiff")
    yield folder / "dangling.tiff"
    yield Path()
    yield Path("x" * 300 + ".csv")
    yield Path("a" * 5000)


def commands(file: str, good: Path, out: Path) -> Iterator[list[str]]:
    """Yield every command with the file in each place where a file is taken."""
    csv, slide = f"{good}/truth.csv", f"{good}/slide.tiff"
    copy = f"{out}/copy.mito"
    yield ["detect", file, "--out", f"{out}/d"]
    yield ["detect", slide, "--model", file, "--out", f"{out}/d"]
    yield ["detect", slide, "--out", file]
    yield ["count", file, "--mpp", "0.25"]
    yield ["count", csv, "--mpp", "0.25", "--tumour", file]
    yield ["evaluate", "--pred", file, "--truth", csv, "--json"]
    yield ["evaluate", "--pred", csv, "--truth", file, "--json"]
    yield ["evaluate", "--pred", csv, "--truth", csv, "--domains", file]
    yield ["evaluate", "--pred", csv, "--truth", csv, "--plot", file]
    yield ["store", "create", file]
    yield ["store", "import", copy, file, "--slide", "slide.tiff", "--rater", "me"]
    if name := FORMATS.get(Path(file).suffix):
        yield ["store", "import", copy, file, "--format", name, "--slide", "slide.tiff", "--rater", "me"]
    yield ["store", "import", file, csv]
    yield ["store", "export", file, "--format", "csv", "--out", f"{out}/export.csv"]
    yield ["store", "export", copy, "--format", "geojson", "--out", file]
    for verb in ("info", "verify", "agreement", "consensus", "classes", "examined"):
        yield ["store", verb, file]
    yield ["store", "backup", file, f"{out}/backup.mito"]
    yield ["store", "backup", copy, file]
    yield ["curate", "freeze", file, "MEL"]
    yield ["curate", "freeze", copy, "MEL", "--out", file]
    yield ["curate", "candidates", copy, "round", "--pred", file]
    yield ["curate", "diff", file, "MEL", "HEAEL"]
    yield ["train", file, "--data", ".", "--out", f"{out}/run"]
    yield ["train", "recipes/semi-fcn.toml", "--study", file, "--data", ".", "--out", f"{out}/run"]
    yield ["bundle", "show", file]
    yield ["bundle", "verify", file]
    yield ["bundle", "export", file, "--out", f"{out}/bundle"]
    yield ["bundle", "join", file, file, "--out", f"{out}/bundle"]
    yield ["bundle", "calibrate", "cascade", "--pred", file, "--truth", csv, "--out", f"{out}/bundle"]
    yield ["bundle", "calibrate", "cascade", "--pred", csv, "--truth", file, "--out", f"{out}/bundle"]
    yield ["serve", file, "--slides", f"{good}/none"]
    yield ["serve", copy, "--slides", file, "--host", "no host"]
    yield ["data", "check", "midogpp", "--data", file]
    yield ["experiment", "run", "cmc-table4", "--data", file, "--out", f"{out}/experiments"]


class TimeIsUpError(BaseException):
    """A command took too long."""


def _alarm(*_: object) -> None:
    raise TimeIsUpError


def outcome(arguments: list[str]) -> dict[str, object]:
    """Run a command in this process and return its exit status and what it wrote to stderr."""
    from mitoscope.cli.app import _status as run

    sys.argv = ["mitoscope", *arguments]
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status: object = run()
    except TimeIsUpError:
        status = "time is up"
    except SystemExit as error:
        status = error.code
    except BaseException as error:
        status = repr(error)
    finally:
        signal.alarm(0)
    err.flush()
    return {"status": status, "stderr": err.buffer.getvalue().decode("utf-8", "replace")}


def content_of(path: Path) -> bytes | None:
    """Return the content of a small file, None of anything else."""
    try:
        if path.is_file() and path.stat().st_size < 1 << 20:
            return path.read_bytes()
    except OSError:  # a name too long
        pass
    return None


def main() -> None:
    """Run every command on each file, or one pair in so many: each file and each command keep their share."""
    root, one_in = Path(sys.argv[1]), int(sys.argv[2])
    good, out = root / "good", root / "out"
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    warnings.simplefilter("ignore")
    for number, path in enumerate(list(make_files(root / "files", good))):
        for verb, arguments in enumerate(commands(str(path), good, out)):
            is_pipe = path.stem == PIPE and arguments[0] in _DOORS
            if (number + 7 * verb) % one_in and not is_pipe:
                continue
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            shutil.copy(good / "study.mito", out / "copy.mito")
            before = content_of(path)
            result = outcome(arguments)
            result["changed"] = content_of(path) != before
            if result["changed"] and before is not None:
                path.write_bytes(before)
            print(json.dumps(result | {"arguments": arguments}), flush=True)


if __name__ == "__main__":
    main()
