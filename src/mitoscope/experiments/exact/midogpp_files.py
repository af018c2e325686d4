"""The two annotation files of MIDOG++, and small made ones with the same domains."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.registry import read_study
from mitoscope.experiments.exact.files import find_file
from mitoscope.experiments.experiment import Desk, Size
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.store import Study

LABELS: Final = "MIDOG++.json"
DOMAINS: Final = "datasets_xvalidation.csv"
NEEDS: Final = f"midogpp: {LABELS} and {DOMAINS}, no pixels"
_MADE: Final = (
    ("human breast cancer", "Hamamatsu XR", "UMC Utrecht"),
    ("human breast cancer", "Hamamatsu S360", "UMC Utrecht"),
    ("human breast cancer", "Aperio CS2", "UMC Utrecht"),
    ("canine lung cancer", "3DHistech", "VMU Vienna"),
    ("canine lymphoma", "3DHistech", "VMU Vienna"),
    ("canine cutaneous mast cell tumor", "Aperio CS2", "FU Berlin"),
    ("human neuroendocrine tumor", "Hamamatsu XR", "UMC Utrecht"),
    ("canine soft tissue sarcoma", "3DHistech", "AMC New York"),
    ("canine soft tissue sarcoma", "3DHistech", "VMU Vienna"),
    ("human melanoma", "Hamamatsu XR", "UMC Utrecht"),
)
_SIDE = (7215, 5412)


def midogpp_files(desk: Desk) -> tuple[Path, ...]:
    """Return the two files; for the smoke size they are made.

    Raises
    ------
    TrainingDataError
        If one is not there.
    """
    if desk.size is Size.SMOKE:
        return _make(make_directory(desk.out / "synthetic" / "midogpp"))
    return tuple(find_file(desk.data, name, data_set="midogpp") for name in (LABELS, DOMAINS))


@lru_cache(maxsize=2)
def _read(files: tuple[Path, ...]) -> Study:
    labels, domains = files
    return read_study(labels, None, ReadOptions(domains=domains))


def read_midogpp(files: tuple[Path, ...]) -> Study:
    """Read both files as one study.

    Raises
    ------
    FormatError
        If one is damaged.
    """
    return _read(files)


def _make(folder: Path) -> tuple[Path, ...]:
    random = np.random.default_rng(0)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    rows = ["Slide;Dataset;Tumor;Scanner;Origin;Species"]
    for number in range(1, 2 * len(_MADE) + 1):
        tumour, scanner, laboratory = _MADE[(number - 1) // 2]
        images.append({"id": number, "file_name": f"{number:03}.tiff", "width": _SIDE[0], "height": _SIDE[1]})
        rows.append(
            f"{number};{('train', 'test')[number % 2]};{tumour};{scanner};{laboratory};{tumour.split()[0]}"
        )
        for _ in range(int(random.integers(4, 16))):
            votes = random.integers(1, 3, 2).tolist()
            votes += [] if votes[0] == votes[1] else [int(random.integers(1, 3))]
            x, y = random.integers((60, 60), np.subtract(_SIDE, 60)).tolist()
            one = {"id": len(annotations) + 1, "image_id": number, "labels": votes}
            box = [x - 25, y - 25, x + 25, y + 25]
            annotations.append(one | {"category_id": int(np.bincount(votes).argmax()), "bbox": box})
    categories = [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "not mitotic figure"}]
    content = {"images": images, "categories": categories, "annotations": annotations}
    for name, text in ((LABELS, json.dumps(content)), (DOMAINS, "\n".join(rows) + "\n")):
        with atomic_write(folder / name) as stream:
            stream.write(text.encode())
    return folder / LABELS, folder / DOMAINS
