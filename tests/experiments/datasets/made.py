"""Data sets of a few files, and folders that hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mitoscope.experiments.datasets import Dataset, Patience

QUICK = Patience(tries=3, first_s=0.001, longest_s=0.002, timeout_s=5.0)


def dataset(**more: Any) -> Dataset:
    """Return a data set of three slides and a table of labels."""
    values: dict[str, Any] = {
        "name": "little",
        "title": "Little",
        "summary": "Three slides",
        "access": "download",
        "page": "https://example.org/little",
        "citation": "Nobody 2020",
        "contents": {"brief": "skin, dog", "tumours": ["mast cell tumour"], "species": ["dog"]},
        "licence": {"name": "CC BY-NC 4.0", "stated_in": "the page", "forbids": ["commercial use"]},
        "files": {
            "slides": {
                "what": "slides",
                "kind": "image",
                "folder": "WSI",
                "pattern": "{:03d}.tiff",
                "numbers": [[1, 3]],
                "url": "https://example.org/files/{id}",
                "ids": [11, 12, 13],
            },
            "labels": {
                "what": "labels",
                "kind": "annotations",
                "names": ["labels.json"],
                "url": "https://example.org/{name}?download=1",
            },
        },
    }
    return Dataset.parse(values | more, where="made")


def touch(folder: Path, *names: str, body: bytes = b"x") -> Path:
    """Make files of a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder
