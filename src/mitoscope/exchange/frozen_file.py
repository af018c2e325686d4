"""A frozen version as a file of its own: its manifest and all of its ground truth, under one hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from mitoscope.errors import FormatError
from mitoscope.exchange.json_text import a_mapping, read_json
from mitoscope.fsio import atomic_write
from mitoscope.store import FORMAT, Frozen
from mitoscope.truth import GroundTruth, from_json, to_json

_TRUTH: Final = "truth"


def write(path: Path, frozen: Frozen) -> None:
    """Write a version atomically.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    values = frozen.manifest.model_dump(mode="json") | {_TRUTH: to_json(frozen.truth)}
    with atomic_write(path) as stream:
        stream.write((json.dumps(values, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def is_frozen_file(path: Path) -> bool:
    """Return whether a file is the manifest of a version, with its ground truth or without."""
    if path.suffix.casefold() != ".json" or not path.is_file():
        return False
    values = read_json(path)
    return isinstance(values, dict) and str(values.get("format", "")).startswith("mitoscope data set ")


def read(path: Path) -> GroundTruth:
    """Read the ground truth of a version.

    Raises
    ------
    FormatError
        If the file holds the manifest alone, is damaged, or is not what was frozen.
    """
    values = a_mapping(read_json(path), str(path))
    if _TRUTH not in values:
        version = f"{values.get('variant')}@{values.get('number')}"
        mend = f"give the study as STUDY@{version}, or write the file again with curate freeze --out"
        raise FormatError("a manifest without its cells", where=path, mend=mend)
    truth = from_json(a_mapping(values[_TRUTH], f"{path}: {_TRUTH}"), where=str(path))
    if values.get("format") == FORMAT and truth.sha256 != values.get("sha256"):
        mend = "write it again with curate freeze --out"
        raise FormatError("its content is not what was frozen", where=path, mend=mend)
    return truth
