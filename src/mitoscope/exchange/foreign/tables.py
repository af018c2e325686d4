"""Tables of any column names: CSV with any separator, and Parquet, a row a finding.

Which column says what is guessed by its name and said in a note, or stated by the user: ``--column x=NAME``.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mitoscope.errors import ConfigError, FormatError
from mitoscope.exchange.csv_text import DECIMAL_COMMA, delimiter_of, plain
from mitoscope.exchange.foreign.findings import FindingList, ForeignFindings, Unit
from mitoscope.exchange.format import BoxLayout
from mitoscope.exchange.json_text import UTF16_MARKS
from mitoscope.exchange.parquet import load_pyarrow
from mitoscope.fsio import open_regular

FIELDS: Final = ("x", "y", "x1", "y1", "x2", "y2", "w", "h", "score", "label", "image")
"""What a column can say. Beside w and h, x and y are the centre; with ``--boxes xywh`` the corner."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(","))


_GUESSES: Final = {
    "x": _names(
        """
        x, x px, x px0, x um, x mm, centroid x, centroid x px, centroid x um, center x, centre x, x center,
        x centre, cx, xc, x coord, coord x, pos x, x pos, position x, location x, location center x,
        x centroid, point x
        """
    ),
    "x1": _names("x1, xmin, x min, min x, left, box x1, bbox x1"),
    "x2": _names("x2, xmax, x max, max x, right, box x2, bbox x2"),
    "w": _names("w, width, box w, box width, bbox w, bbox width"),
    "h": _names("h, height, box h, box height, bbox h, bbox height"),
    "score": _names(
        """
        score, probability, confidence, prob, conf, detection probability, classification probability,
        type prob, p, pred score, pred prob, mitosis probability, mitosis score
        """
    ),
    "label": _names(
        """
        label, class, classification, class name, type, category, name, category name, prediction, pred,
        pred class, predicted class, object class
        """
    ),
    "image": _names(
        "image, slide, file, file name, image name, image id, slide name, slide id, wsi, filename"
    ),
}
"""What a column says → names that it may have, as `_key` gives them, the likeliest first."""
_TWINS: Final = {"y": ("x", "x", "y"), "y1": ("x1", "x", "y"), "y2": ("x2", "x", "y")}
_SIDES: Final = {"top": "left", "bottom": "right"}
_UNITS: Final = {"um": Unit.UM, "mm": Unit.MM, "px": Unit.PX, "px0": Unit.PX, "pixel": Unit.PX}


@dataclass(frozen=True)
class Columns:
    """Which column of a table says what.

    Parameters
    ----------
    of : mapping of str to str
        One of `FIELDS` → the name of its column.
    unit : Unit
        What the names say of the unit.
    is_guessed : bool
        Whether nobody stated it and the names are not just those of the fields.
    are_centres : bool
        Whether places beside sizes of boxes were taken for their centres unasked.
    """

    of: Mapping[str, str]
    unit: Unit
    is_guessed: bool
    are_centres: bool = False

    @classmethod
    def find(
        cls, names: Sequence[str], stated: Mapping[str, str], path: Path, *, boxes: BoxLayout | None = None
    ) -> Columns:
        """Find what the columns of a table say, the stated ones first.

        Raises
        ------
        ConfigError
            If a stated column is not there, or boxes are stated that the columns do not have.
        FormatError
            If no column states the position of a finding.
        """
        by_key = {_key(name): name for name in reversed(names)}
        chosen = {}
        for field, name in stated.items():
            if field not in FIELDS:
                raise ConfigError(f"no field {field!r}", where="--column", mend=f"one of {', '.join(FIELDS)}")
            if name not in names:
                found = by_key.get(_key(name))
                if found is None:
                    raise ConfigError(
                        f"no column {name!r}", where=path, mend=f"its columns are {', '.join(names)}"
                    )
                name = found
            chosen[field] = name
        for field, guesses in _GUESSES.items():
            likely = next((by_key[guess] for guess in guesses if guess in by_key), None)
            if likely is not None and likely not in chosen.values():
                chosen.setdefault(field, likely)
        for field, (twin, *letters) in _TWINS.items():
            if field not in chosen and twin in chosen:
                beside = by_key.get(_twin(_key(chosen[twin]), *letters))
                if beside is not None:
                    chosen[field] = beside
        has_boxes = {"x1", "y1", "x2", "y2"} <= chosen.keys()
        if not ({"x", "y"} <= chosen.keys() or has_boxes):
            raise FormatError(
                "no column states the position of a finding",
                where=path,
                mend=f"name them, e.g. --column x=NAME --column y=NAME; there are {', '.join(names)}",
            )
        if {"x", "y"} <= chosen.keys():
            chosen = {field: name for field, name in chosen.items() if field not in ("x1", "y1", "x2", "y2")}
        else:
            chosen = {field: name for field, name in chosen.items() if field not in ("x", "y")}
        has_size = {"x", "w", "h"} <= chosen.keys()
        if boxes is not None and (boxes is BoxLayout.XYWH) != has_size:
            raise ConfigError(
                f"no columns of boxes as {boxes} among {', '.join(names)}",
                where="--boxes",
                mend="leave it out, or name them, e.g. --column w=NAME --column h=NAME"
                if boxes is BoxLayout.XYWH
                else "leave it out, or name them: --column x1=NAME … y2=NAME",
            )
        if boxes is None:
            chosen = {field: name for field, name in chosen.items() if field not in ("w", "h")}
        for name in dict.fromkeys(chosen.values()):
            fields = [field for field, of in chosen.items() if of == name]
            if len(fields) > 1:
                raise ConfigError(
                    f"{' and '.join(fields)} from one column {name!r}", where="--column", mend="name one each"
                )
        unit = _unit_of(chosen["x1" if "x" not in chosen else "x"])
        guessed = any(field not in stated and _key(name) != field for field, name in chosen.items())
        return cls(chosen, unit, guessed, has_size and boxes is None)

    @property
    def note(self) -> str:
        """What was taken for what, in words."""
        read = ", ".join(f"{field} from {name!r}" for field, name in self.of.items())
        note = f"columns read: {read}" + ("; --column states others" if self.is_guessed else "")
        if self.are_centres:
            note += "; x and y are taken for centres: --boxes xywh, if they are the corners of the boxes"
        return note


def _key(name: str) -> str:
    """Return what of a column's name is compared: ``Centroid X µm`` and ``centroid_x_(um)`` are one."""
    text = name.replace("µ", "u").replace("μ", "u").casefold()
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text).split())


def _twin(key: str, old: str, new: str) -> str:
    """Return the key of the column of y beside that of x."""
    if key in _SIDES.values():
        return next(name for name, side in _SIDES.items() if side == key)
    return " ".join(new + word[1:] if word.startswith(old) else word for word in key.split())


def _unit_of(name: str) -> Unit:
    return next((_UNITS[word] for word in _key(name).split() if word in _UNITS), Unit.PX)


def read_csv_findings(
    path: Path, *, columns: Mapping[str, str], boxes: BoxLayout | None = None
) -> ForeignFindings:
    """Read a CSV file with a header, of any length.

    Parameters
    ----------
    path : Path
    columns : mapping of str to str
        One of `FIELDS` → the column that says it, as far as the user states them.
    boxes : BoxLayout, optional
        What x, y, w and h are: by default x and y are the centre.

    Raises
    ------
    FormatError, ConfigError
        If it cannot be read, or a column is not there.
    """
    try:
        with open_regular(path) as stream:
            is_wide = stream.read(2) in UTF16_MARKS  # "Unicode text" of spreadsheets
            stream.seek(0)
            encoding = "utf-16" if is_wide else "utf-8-sig"
            with io.TextIOWrapper(stream, encoding, newline="") as text:
                return _read_rows(text, path, columns, boxes)
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 ({error.reason})", where=path, mend="save it as UTF-8") from None
    except csv.Error as error:
        raise FormatError(f"not CSV ({error})", where=path) from None
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None


def _read_rows(
    stream: io.TextIOWrapper, path: Path, stated: Mapping[str, str], boxes: BoxLayout | None
) -> ForeignFindings:
    head = stream.readline()
    second = stream.readline()
    stream.seek(0)
    mark = delimiter_of(head + second)
    rows = csv.reader(stream, delimiter=mark, strict=True)
    names = [name.strip() for name in next(rows, [])]
    found = FindingList(path)
    columns = Columns.find(names, stated, path, boxes=boxes)
    if twice := [name for name in columns.of.values() if names.count(name) > 1]:
        raise FormatError(f"the column {twice[0]} appears twice", where=path, mend="remove one")
    places = {field: names.index(name) for field, name in columns.of.items()}
    is_image_alone = "image" in places
    for row in rows:
        if not any(map(str.strip, row)):
            continue
        where = f"line {rows.line_num}"
        if len(row) < len(names):
            what = f"{len(names)} cells expected, got {len(row)}"
            raise FormatError(what, where=f"{path}: {where}", mend="correct or remove the row")
        cells = {field: row[place].strip() for field, place in places.items()}
        image = plain(cells.get("image", ""))
        if is_image_alone and not any(cells[field] for field in cells if field not in ("image", "label")):
            found.know_image(image)  # nothing was found there
            continue
        values: dict[str, Any] = {
            field: _number(cell, has_comma=mark != ",", where=f"{path}: {where}, column {columns.of[field]}")
            for field, cell in cells.items()
            if field not in ("image", "label")
        }
        _add(found, values, plain(cells.get("label", "")), image, where)
    found.unit = columns.unit
    found.notes.append(columns.note)
    return found.finish("CSV")


def _number(cell: str, *, has_comma: bool, where: str) -> float | None:
    if has_comma and DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    try:
        value = float(cell) if cell else math.nan
    except ValueError:
        raise FormatError(
            f"a number expected, got {cell[:40]!r}", where=where, mend="correct or remove the row"
        ) from None
    return None if math.isnan(value) else value


def _add(found: FindingList, values: Mapping[str, Any], label: object, image: str, where: str) -> None:
    x, y = values.get("x"), values.get("y")
    if "x1" in values:
        left, top, right, bottom = (values[name] for name in ("x1", "y1", "x2", "y2"))
        if None not in (left, top, right, bottom):
            x, y = left / 2 + right / 2, top / 2 + bottom / 2
    elif "w" in values:
        width, height = values["w"], values["h"]
        x, y = (
            None if start is None or size is None else start + size / 2
            for start, size in ((x, width), (y, height))
        )
    found.add(x, y, score=values.get("score"), label=label, image=image, where=where)


def read_parquet_findings(
    path: Path, *, columns: Mapping[str, str], boxes: BoxLayout | None = None
) -> ForeignFindings:
    """Read a Parquet file, batch by batch; of a GeoParquet file the middle of each geometry's bounds.

    Raises
    ------
    FormatError, ConfigError
        If it cannot be read, pyarrow is missing, or a column is not there.
    """
    pyarrow = load_pyarrow()
    found = FindingList(path)
    try:
        with open_regular(path) as stream, pyarrow.parquet.ParquetFile(stream) as file:
            names = list(file.schema_arrow.names)
            geometry = next((name for name in names if name.casefold() == "geometry"), None)
            if geometry is None or {"x", "y"} & columns.keys():
                chosen = Columns.find(names, columns, path, boxes=boxes)
                wanted = dict(chosen.of)
                found.unit = chosen.unit
                found.notes.append(chosen.note)
            else:
                plane = Columns.find([*names, "x", "y"], {"x": "x", "y": "y", **columns}, path)
                wanted = {field: name for field, name in plane.of.items() if field not in ("x", "y")}
                wanted["geometry"] = geometry
            place = 0
            for batch in file.iter_batches(batch_size=65_536, columns=list(wanted.values())):
                for values in _rows_of(batch, wanted):
                    label, image = values.pop("label", ""), str(values.pop("image", "") or "")
                    _add(found, values, label, image, f"rows[{place}]")
                    place += 1
    except (pyarrow.ArrowException, OSError) as error:
        raise FormatError(f"a damaged Parquet file ({str(error)[:80]})", where=path) from None
    return found.finish("Parquet")


def _rows_of(batch: Any, wanted: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    columns = {field: batch.column(name).to_pylist() for field, name in wanted.items()}
    if "geometry" in columns:
        import shapely

        bounds = shapely.bounds(shapely.from_wkb(columns.pop("geometry")))
        columns["x"] = (bounds[:, 0] / 2 + bounds[:, 2] / 2).tolist()
        columns["y"] = (bounds[:, 1] / 2 + bounds[:, 3] / 2).tolist()
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))
