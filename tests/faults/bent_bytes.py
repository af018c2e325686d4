"""Files of which some bytes are not what was written, and the commands that read them: one run of all.

Run as a script in a process of its own: ``python bent_bytes.py FOLDER TRIALS [all]`` bends bytes of each
file of ``FOLDER/good`` in so many ways and writes one line of JSON for each command to standard output.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import sys
import warnings
from pathlib import Path

from hostile import outcome  # type: ignore[import-not-found]  # beside this script

PAGE = 4096
"""Of SQLite."""


def bend(content: bytes, draw: random.Random) -> bytes:
    """Return a content with one to eight bytes changed, within one page."""
    bent = bytearray(content)
    start = draw.randrange(0, len(bent), PAGE)
    stop = min(start + PAGE, len(bent))
    texts = [place for place in range(start, stop) if chr(bent[place]).isalnum()]
    for _ in range(draw.choice((1, 2, 8))):
        place = draw.choice(texts) if texts and draw.random() < 0.5 else draw.randrange(start, stop)
        bent[place] = draw.choice((0, 0xFF, bent[place] ^ 1 << draw.randrange(8), draw.randrange(256)))
    return bytes(bent)


def commands(path: Path, good: Path, out: Path) -> list[list[str]]:
    """Return the commands that read a file."""
    file, csv = str(path), f"{good}/truth.csv"
    if path.suffix == ".sqlite":
        return [
            ["store", "import", f"{out}/copy.mito", file],
            ["evaluate", "--pred", csv, "--truth", file, "--mpp", "0.25", "--json"],
        ]
    if path.suffix == ".bundle":
        return [["bundle", "show", file], ["bundle", "verify", file]]
    return [
        *(["store", verb, file] for verb in ("info", "verify", "agreement", "consensus", "classes")),
        ["store", "export", file, "--format", "csv", "--out", f"{out}/export.csv"],
        ["store", "import", file, csv, "--rater", "c"],
        ["curate", "freeze", file, "MEL", "--json"],
        ["count", f"{file}@MEL", "--mpp", "0.25"],
        ["evaluate", "--pred", f"{good}/found.csv", "--truth", file, "--json"],
    ]


def main() -> None:
    """Run each command on each bent file; a trial in the test takes one of the commands."""
    root, trials, with_all = Path(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3
    good, out = root / "good", root / "out"
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    warnings.simplefilter("ignore")
    for name in ("study.mito", "runner.sqlite"):
        content, draw = (good / name).read_bytes(), random.Random(name)
        for trial in range(trials):
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            shutil.copy(good / "study.mito", out / "copy.mito")
            path, bent = out / f"bent{Path(name).suffix}", bend(content, draw)
            found = commands(path, good, out)
            for arguments in found if with_all else [found[trial % len(found)]]:
                path.write_bytes(bent)
                print(json.dumps(outcome(arguments) | {"arguments": arguments, "trial": trial}), flush=True)


if __name__ == "__main__":
    main()
