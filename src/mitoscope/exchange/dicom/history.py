"""The whole study in a private element, so that nothing is lost."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mitoscope.exchange import extension
from mitoscope.exchange.json_text import dump_json, parse_json
from mitoscope.store import Study

if TYPE_CHECKING:
    from pydicom import Dataset

_PRIVATE_GROUP = 0x0071
_PRIVATE_CREATOR = "MITOSCOPE"


def attach(dataset: Dataset, study: Study) -> None:
    """Add the study to the annotations."""
    block = dataset.private_block(_PRIVATE_GROUP, _PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", _digest(dataset))
    block.add_new(0x02, "UT", dump_json(extension.to_json(study)).decode().strip())


def detach(dataset: Dataset, path: Path) -> Study | str | None:
    """Return the study that annotations bring along, a note if it cannot be taken, or None."""
    try:
        block = dataset.private_block(_PRIVATE_GROUP, _PRIVATE_CREATOR)
    except KeyError:
        return None
    if str(block[0x01].value) != _digest(dataset):
        return f"{path.name}: {extension.EDITED}"
    where = f"{path}: private element of mitoscope"
    return extension.from_json(parse_json(str(block[0x02].value), where=where), where)


def _digest(dataset: Dataset) -> str:
    """Return a hash of what the groups say, which changes when somebody edits the file."""
    digest = hashlib.sha256()
    for item in dataset.AnnotationGroupSequence:
        digest.update(f"{str(item.AnnotationGroupLabel).strip()}\n{item.NumberOfAnnotations}\n".encode())
        digest.update(item.get("DoublePointCoordinatesData", item.get("PointCoordinatesData", b"")))
    return digest.hexdigest()
