"""The sources that may train a shipped model: where they lie, their licences and attributions."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mitoscope.errors import TrainingDataError
from mitoscope.fsio import sha256_file


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
CATALOGUE: Final = (MITOSIS_CROPS, BRECAHAD, NEGATIVE_FIELDS)
"""All permitted sources. MiDeSeC is not among them: its licence is unknown, so it only evaluates."""


def rows_of(path: Path, *, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file with the columns that are needed.

    Raises
    ------
    TrainingDataError
        If the file is missing, cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingDataError(
            f"cannot be read ({error})", where=path, mend="give the data folder with --data"
        ) from None
    if not rows:
        raise TrainingDataError("no rows", where=path)
    if missing := [column for column in columns if column not in rows[0]]:
        raise TrainingDataError(f"no column {missing[0]!r}", where=path)
    return rows


def attribution_of(source: Source, data: Path) -> str:
    """Return whom to name for a source; the negative fields name each of their origins."""
    if source is not NEGATIVE_FIELDS:
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
