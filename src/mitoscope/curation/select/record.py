"""A choice in a file: every tile with its score, its probability and whether it was chosen."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from mitoscope.curation.select.choice import Choice
from mitoscope.curation.select.tiles import ScoredTiles
from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import inert, plain
from mitoscope.fsio import atomic_write

COLUMNS = ("slide", "x_px0", "y_px0", "width_px0", "height_px0", "score", "probability", "stratum", "chosen")
_HEAD = "# mitoscope choice 1 "


def write_choice(path: Path, choice: Choice) -> None:
    """Write a choice as CSV, all tiles in order; its rule and seed stand in the first line.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    text = io.StringIO()
    head = {"rule": choice.rule, "seed": choice.seed, "slides": list(choice.tiles.slides)}
    text.write(_HEAD + json.dumps(head, ensure_ascii=False) + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    tiles = choice.tiles
    for row, (x, y, right, bottom) in enumerate(tiles.boxes_px0.tolist()):
        numbers = (x, y, right - x, bottom - y, float(tiles.score[row]), float(choice.probability[row]))
        stratum, chosen = int(choice.stratum[row]), int(choice.chosen[row])
        writer.writerow([inert(tiles.slides[tiles.slide[row]]), *map(repr, numbers), stratum, chosen])
    with atomic_write(path) as stream:
        stream.write(text.getvalue().encode())


def read_choice(path: Path) -> Choice:
    """Read a choice back, the same as it was.

    Raises
    ------
    FormatError
        If it is none, with the line.
    """
    try:
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        raise FormatError("no such file", where=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot be read ({error})", where=path) from None
    if not first.startswith(_HEAD):
        raise FormatError("not a choice of tiles", where=path, mend="it is what 'curate select --out' writes")
    try:
        head = json.loads(first.removeprefix(_HEAD))
        slides, rule, seed = tuple(map(str, head["slides"])), str(head["rule"]), head["seed"]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"its first line cannot be read ({error})", where=path) from None
    return _choice(path, rest, slides, rule, None if seed is None else int(seed))


def _choice(path: Path, text: str, slides: tuple[str, ...], rule: str, seed: int | None) -> Choice:
    index = {name: number for number, name in enumerate(slides)}
    rows = []
    for line, row in enumerate(csv.DictReader(io.StringIO(text)), start=3):
        try:
            rows.append([index[plain(row["slide"])], *(float(row[name]) for name in COLUMNS[1:])])
        except (KeyError, ValueError, TypeError) as error:
            raise FormatError(f"line {line} cannot be read ({error})", where=path) from None
    table = np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS))
    if not np.isfinite(table).all():
        raise FormatError("NaN or infinity", where=path)
    boxes = np.column_stack([table[:, 1:3], table[:, 1:3] + table[:, 3:5]])
    tiles = ScoredTiles(slides, table[:, 0].astype(np.int64), boxes, table[:, 5])
    return Choice(tiles, table[:, 8] > 0, table[:, 6], table[:, 7].astype(np.int64), rule, seed)
