"""The open data that may train a shipped model: where they lie, their licences, and how they become pictures.

Everything is decoded once and kept in memory.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mitoscope.data.field import Labels
from mitoscope.data.picture import Picture, no_points
from mitoscope.errors import TrainingDataError
from mitoscope.fsio import open_regular
from mitoscope.labels import (
    AMBIGUOUS,
    ATYPICAL_FIGURE,
    DEFAULT_LABELS,
    FIELD_LABELS,
    LOOK_ALIKE,
    LOOK_ALIKE_KINDS,
    MITOTIC_FIGURE,
)
from mitoscope.written import sha256_file


@dataclass(frozen=True, slots=True)
class Source:
    """One source of training data.

    Parameters
    ----------
    name : str
        Folder inside the data folder.
    table : str
        CSV file that lists its pictures or labels.
    title, licence, attribution : str
        For the model bundle and the model card.
    """

    name: str
    table: str
    title: str
    licence: str
    attribution: str


MITOSIS_CROPS: Final = Source(
    "mitosis_crops",
    "crops.csv",
    "MIDOG++ mitotic figures (128 px crops)",
    "CC0-1.0 (MIDOG++); MIT (repository of the crops)",
    "Aubreville et al. 2023, A comprehensive multi-domain dataset for mitotic figure detection (MIDOG++), "
    "Scientific Data 10, 484; crops with the atypical label: Bertram et al. 2025, AMi-Br and AtNorM",
)
BRECAHAD: Final = Source(
    "brecahad",
    "labels.csv",
    "BreCaHAD",
    "CC-BY-4.0",
    "Aksac et al. 2019, BreCaHAD: a dataset for breast cancer histopathological annotation and diagnosis, "
    "BMC Research Notes 12, 82",
)
NEGATIVE_FIELDS: Final = Source(
    "negative_fields",
    "fields.csv",
    "Fields without a visible mitotic figure, of other laboratories and organs",
    "CC0-1.0; CC-BY-4.0; TCGA open access; free to use and distribute (each field as listed in fields.csv)",
    "As listed in fields.csv",
)
UNSORTED_FIELDS: Final = Source(
    "unsorted_fields",
    "fields.csv",
    "Fields of glioblastoma and of oral mucosa, not labelled as a whole",
    "TCGA open access; CC-BY-4.0 (each field as listed in fields.csv)",
    "As listed in fields.csv",
)
CATALOGUE: Final = (MITOSIS_CROPS, BRECAHAD, NEGATIVE_FIELDS, UNSORTED_FIELDS)
"""All permitted sources. MiDeSeC is not among them: its licence is unknown, so it only evaluates."""


def rows_of(path: Path, *, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file with the columns that are needed.

    Raises
    ------
    TrainingDataError
        If the file is missing, cannot be read, or lacks a column.
    """
    try:
        with TextIOWrapper(open_regular(path), encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise TrainingDataError(
            "no such file; the recipe trains on the open data sets, which the folder of --data does not hold",
            where=path,
            mend="for your own data give --study STUDY@VERSION or --set data.source.kind=annotated-slides",
        ) from None
    except OSError as error:
        raise TrainingDataError(f"cannot be read ({error.strerror})", where=path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise TrainingDataError(
            f"is not a table in UTF-8 ({error})", where=path, mend="restore the file of the data set"
        ) from None
    if not rows:
        raise TrainingDataError("no rows", where=path)
    if missing := [column for column in columns if column not in rows[0]]:
        raise TrainingDataError(f"no column {missing[0]!r}", where=path)
    return rows


def attribution_of(source: Source, data: Path) -> str:
    """Return whom to name for a source; fields of many laboratories name each of their origins."""
    if source not in (NEGATIVE_FIELDS, UNSORTED_FIELDS):
        return source.attribution
    rows = rows_of(data / source.name / source.table, columns=("source", "licence", "attribution"))
    seen = {(row["source"], row["licence"], row["attribution"]) for row in rows}
    parts = [f"{name}: {attribution} ({licence})" for name, licence, attribution in sorted(seen)]
    return " | ".join(parts)[:4000]


def content_hash(source: Source, data: Path) -> str:
    """Return one SHA-256 over the names and contents of all files of a source."""
    digest = hashlib.sha256()
    folder = data / source.name
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return digest.hexdigest()


CROP_CENTRE_PX: Final = 64.0
"""Every crop is 128 px wide with the mitotic figure at its centre."""
CROP_MIRROR_PX: Final = 40
"""The mirror image of a crop's figure begins 128 px from it; 40 px beyond the crop are free of it."""
BRECAHAD_SCALES: Final = {"Case_12": 0.7}
"""The scale is not stated; case 12 is visibly finer (median mitotic figure 63 px against 42 and 44 px)."""
_MIDOG_ANNOTATIONS: Final = Path("annotations") / "MIDOG++.json"
# Two annotations nearer than this are one figure.
_SAME_FIGURE_PX: Final = 10.0
_NEIGHBOUR_PX: Final = 100.0


def read_rgb(path: Path, *, scale: float = 1.0) -> NDArray[np.uint8]:
    """Decode a picture, optionally resized.

    Raises
    ------
    TrainingDataError
        If it is missing or cannot be decoded.
    """
    try:
        with open_regular(path) as stream, Image.open(stream) as image:
            rgb = image.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise TrainingDataError(f"cannot be decoded ({error})", where=path) from None
    if scale != 1.0:
        size = (round(rgb.width * scale), round(rgb.height * scale))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    return np.array(rgb, dtype=np.uint8)


def read_crops(data: Path) -> list[Picture]:
    """Read the crops around mitotic figures; further figures inside a crop come from MIDOG++'s labels."""
    folder = data / MITOSIS_CROPS.name
    rows = rows_of(folder / MITOSIS_CROPS.table, columns=("file", "source", "slide", "x", "y"))
    neighbours = _midog_figures(data / _MIDOG_ANNOTATIONS)
    pictures = []
    for row in rows:
        figures = np.array([[CROP_CENTRE_PX, CROP_CENTRE_PX]])
        if row["slide"]:
            offsets = neighbours.get(row["slide"], no_points()) - (float(row["x"]), float(row["y"]))
            far = np.hypot(offsets[:, 0], offsets[:, 1])
            others = offsets[(far > _SAME_FIGURE_PX) & (far < _NEIGHBOUR_PX)]
            figures = np.concatenate([figures, others + CROP_CENTRE_PX])
        pictures.append(
            Picture(
                name=row["file"],
                source=MITOSIS_CROPS.name,
                case=_case_of(row),
                rgb=read_rgb(folder / row["file"]),
                figures=figures,
                mirror_px=CROP_MIRROR_PX,
            )
        )
    return pictures


def _case_of(row: dict[str, str]) -> str:
    return f"MIDOG/{row['slide']}" if row["slide"] else f"crop/{row['file']}"


_KINDS: Final = {"0": MITOTIC_FIGURE.name, "1": ATYPICAL_FIGURE.name}


def read_figure_kinds(data: Path) -> list[Picture]:
    """Read the crops with what is known of the figure in their middle: whether it is atypical.

    Further figures inside of a crop are left out: of those that its border cuts the kind cannot be seen.

    Raises
    ------
    TrainingDataError
        If it is not stated of a figure.
    """
    folder = data / MITOSIS_CROPS.name
    table = folder / MITOSIS_CROPS.table
    pictures = []
    for row in rows_of(table, columns=("file", "slide", "atypical")):
        if row["atypical"] not in _KINDS:
            raise TrainingDataError(
                f"atypical is {row['atypical']!r}, not 0 or 1", where=f"{table}: {row['file']}"
            )
        pictures.append(
            Picture(
                name=row["file"],
                source=MITOSIS_CROPS.name,
                case=_case_of(row),
                rgb=read_rgb(folder / row["file"]),
                figures=np.array([[CROP_CENTRE_PX, CROP_CENTRE_PX]]),
                mirror_px=CROP_MIRROR_PX,
                figure_label=_KINDS[row["atypical"]],
            )
        )
    return pictures


def _midog_figures(path: Path) -> dict[str, NDArray[np.float64]]:
    try:
        with open_regular(path) as stream:
            values = json.load(stream)
        names = {image["id"]: image["file_name"] for image in values["images"]}
        category = next(c["id"] for c in values["categories"] if c["name"] == MITOTIC_FIGURE.name)
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for annotation in values["annotations"]:
            if annotation["category_id"] == category:
                left, top, right, bottom = annotation["bbox"]  # MIDOG++ writes corners, unlike COCO
                found[names[annotation["image_id"]]].append(((left + right) / 2, (top + bottom) / 2))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise TrainingDataError(f"not MIDOG++ annotations ({error!r})", where=path) from None
    return {name: np.array(points, dtype=np.float64) for name, points in found.items()}


def read_brecahad(data: Path) -> list[Picture]:
    """Read BreCaHAD; its apoptotic cells are labelled look-alikes."""
    folder = data / BRECAHAD.name
    rows = rows_of(folder / BRECAHAD.table, columns=("image", "case", "label", "x", "y"))
    cases = {row["image"]: row["case"] for row in rows}
    points: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        points[row["image"], DEFAULT_LABELS.canonical(row["label"])].append(
            (float(row["x"]), float(row["y"]))
        )
    pictures = []
    for name, case in sorted(cases.items()):
        scale = BRECAHAD_SCALES.get(case, 1.0)
        pictures.append(
            Picture(
                name=name,
                source=BRECAHAD.name,
                case=f"BreCaHAD/{case}",
                rgb=read_rgb(folder / "images" / name, scale=scale),
                figures=np.array(points[name, MITOTIC_FIGURE.name]).reshape(-1, 2) * scale,
                look_alikes=np.array(points[name, "Apoptosis"]).reshape(-1, 2) * scale,
                look_alike_kinds=np.array("apoptosis"),
            )
        )
    return pictures


SORTED_CANDIDATES: Final = Path(__file__).parent / "sorted_candidates.csv"
"""What detectors took for figures on the fields of both kinds, sorted by eye on contact sheets."""
_BORDER_CUT: Final = "border cut"
"""Class of a candidate that the border of its field cuts: nobody can say what it is either."""
_PHOTOGRAPH: Final = re.compile(r"OSCC_400x_\d+")
"""Photographs of oral mucosa, of which both sets of fields have parts."""


def read_negative_fields(data: Path) -> list[Picture]:
    """Read the fields that were chosen because they show no mitotic figure, with what was found on them."""
    return _read_fields(data, NEGATIVE_FIELDS)


def read_unsorted_fields(data: Path) -> list[Picture]:
    """Read the fields of which nothing but the candidates of detectors was sorted."""
    return _read_fields(data, UNSORTED_FIELDS)


def _read_fields(data: Path, source: Source) -> list[Picture]:
    folder = data / source.name
    rows = rows_of(folder / source.table, columns=("file", "source", "origin"))
    found = sorted_candidates(source)
    pictures = []
    for row in rows:
        own = found.get(row["file"], Labels.none())
        look_alikes = own.take(own.label == LOOK_ALIKE.name)
        photograph = _PHOTOGRAPH.search(row["origin"])
        pictures.append(
            Picture(
                name=row["file"],
                source=source.name,
                case=f"field/{photograph[0] if photograph else '/'.join((row['source'], row['file']))}",
                rgb=read_rgb(folder / row["file"]),
                figures=own.places_of(MITOTIC_FIGURE.name),
                look_alikes=look_alikes.points,
                look_alike_kinds=look_alikes.kind,
                others=own.take(own.label == AMBIGUOUS.name),
            )
        )
    return pictures


def sorted_candidates(source: Source) -> dict[str, Labels]:
    """Return the sorted candidates on each field of a source, look-alikes with their kind.

    Raises
    ------
    TrainingDataError
        If the table has a kind of look-alikes that is none.
    """
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(SORTED_CANDIDATES, columns=("set", "image", "x", "y", "class", "kind")):
        if row["kind"] not in ("", *LOOK_ALIKE_KINDS):
            mend = f"known: {', '.join(LOOK_ALIKE_KINDS)}"
            raise TrainingDataError(
                f"no kind of look-alikes: {row['kind']!r}", where=SORTED_CANDIDATES, mend=mend
            )
        if row["set"] == source.name:
            found[row["image"]].append(row)
    return {
        image: Labels.of(
            [(float(row["x"]), float(row["y"])) for row in rows],
            [
                AMBIGUOUS.name if row["class"] == _BORDER_CUT else FIELD_LABELS.canonical(row["class"])
                for row in rows
            ],
            kind=[row["kind"] for row in rows],
        )
        for image, rows in found.items()
    }


def read_midesec(data: Path) -> list[Picture]:
    """Read MiDeSeC: for evaluation and the choice of thresholds, never for training."""
    folder = data / "midesec"
    rows = rows_of(folder / "labels.csv", columns=("image", "x", "y"))
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        points[row["image"]].append((float(row["x"]), float(row["y"])))
    return [
        Picture(
            name=path.name,
            source="midesec",
            case=f"MiDeSeC/{path.stem}",
            rgb=read_rgb(path),
            figures=np.array(points.get(path.name, [])).reshape(-1, 2),
        )
        for path in sorted((folder / "images").iterdir())
    ]
