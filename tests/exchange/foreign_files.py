"""Twelve findings as programs write them: by themselves (`programs/`), or by their documented layouts."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitoscope.exchange.parquet import load_pyarrow

PROGRAMS = Path(__file__).with_name("programs")
SIZE, MPP = (800, 600), 0.5
"""Of the picture, in px and µm/px."""
FIGURE, OTHER = "mitotic figure", "look-alike"
_ROWS = """454,367.5,0.7395,1 530,424,0.4862,0 193,290.5,0.3283,0 595,341.5,0.3114,1 576.5,191.5,0.8612,0
386.5,229,0.9298,0 419.5,320.5,0.7186,1 186,220.5,0.8034,0 303,416.5,0.6751,0 517,204.5,0.9452,1
451.5,195.5,0.8629,0 181,404,0.3019,0"""
FINDINGS = [
    (float(x), float(y), float(score), OTHER if other == "1" else FIGURE)
    for x, y, score, other in (row.split(",") for row in _ROWS.split())
]
"""Centre in level-0 px, score and class."""
NUMBERS = {FIGURE: 1, OTHER: 2}


def _json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def _box(x: float, y: float) -> list[float]:
    return [x - 25, y - 25, x + 25, y + 25]


def hover_net(folder: Path) -> Path:
    nuclei = {
        str(place): {
            "bbox": [[y - 9, x - 9], [y + 9, x + 9]],
            "centroid": [x, y],
            "contour": [[x - 9, y - 9], [x + 9, y - 9], [x, y + 9]],
            "type_prob": score,
            "type": NUMBERS[label],
        }
        for place, (x, y, score, label) in enumerate(FINDINGS, start=1)
    }
    return _json(folder / "hover_net.json", {"mag": None, "nuc": nuclei})


def tia_dat(folder: Path) -> Path:
    nuclei = {
        f"{place:032x}": {"box": _box(x, y), "centroid": [x, y], "prob": score, "type": NUMBERS[label]}
        for place, (x, y, score, label) in enumerate(FINDINGS)
    }
    return _json(folder / "tia_dat.json", nuclei)


def cellvit(folder: Path) -> Path:
    cells = [
        {
            "bbox": [[y - 9, x - 9], [y + 9, x + 9]],
            "centroid": [x, y],
            "type_prob": score,
            "type": NUMBERS[label],
        }
        for x, y, score, label in FINDINGS
    ]
    return _json(
        folder / "cells.json",
        {
            "wsi_metadata": {"magnification": 40.0, "downsampling": 1},
            "processed_patches": ["0_0", "0_1"],
            "type_map": {"Background": 0, **NUMBERS},
            "cells": cells,
        },
    )


def mmdetection(folder: Path) -> Path:
    return _json(
        folder / "painted.json",
        {
            "labels": [NUMBERS[label] for *_, label in FINDINGS],
            "scores": [score for *_, score, _ in FINDINGS],
            "bboxes": [_box(x, y) for x, y, *_ in FINDINGS],
        },
    )


def grand_challenge(folder: Path) -> Path:
    points = [
        {"name": label, "point": [x * MPP / 1000, y * MPP / 1000, 0], "probability": score}
        for x, y, score, label in FINDINGS
    ]
    values = {"type": "Multiple points", "points": points, "version": {"major": 1, "minor": 0}}
    return _json(folder / "mitotic-figures.json", values)


def qupath(folder: Path) -> Path:
    features = [
        {
            "type": "Feature",
            "id": f"00000000-0000-4000-8000-{place:012x}",
            "geometry": {"type": "Polygon", "coordinates": [[[a, b], [c, b], [c, d], [a, d], [a, b]]]},
            "properties": {
                "objectType": "detection",
                "classification": {"name": label, "color": [200, 0, 0]},
                "measurements": {"Area µm^2": 60.5, "Probability": score},
            },
        }
        for place, (x, y, score, label) in enumerate(FINDINGS)
        for a, b, c, d in [_box(x, y)]
    ]
    return _json(folder / "qupath.geojson", {"type": "FeatureCollection", "features": features})


def qupath_table(folder: Path) -> Path:
    path = folder / "measurements.tsv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t")
        rows.writerow(
            ["Image", "Object type", "Classification", "Centroid X µm", "Centroid Y µm", "Probability"]
        )
        for x, y, score, label in FINDINGS:
            rows.writerow(["painted.png", "Detection", label, x * MPP, y * MPP, score])
    return path


def odd_csv(folder: Path) -> Path:
    """As a spreadsheet in German saves it: semicolons and decimal commas, columns of any names."""
    path = folder / "odd.csv"
    lines = ["Bild;Xmin;Ymin;Xmax;Ymax;Conf;Class Name"]
    for x, y, score, label in FINDINGS:
        numbers = ";".join(f"{value}".replace(".", ",") for value in (*_box(x, y), score))
        lines.append(f"painted;{numbers};{label}")
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    return path


def parquet(folder: Path) -> Path:
    pyarrow = load_pyarrow()

    columns = zip(*FINDINGS, strict=True)
    names = ("center_x", "center_y", "prob", "class")
    table = pyarrow.table({name: list(column) for name, column in zip(names, columns, strict=True)})
    pyarrow.parquet.write_table(table, folder / "found.parquet")
    return folder / "found.parquet"


def hover_next(folder: Path) -> Path:
    cells = {str(place): [NUMBERS[label], [y, x]] for place, (x, y, _, label) in enumerate(FINDINGS, start=1)}
    return _json(folder / "class_inst.json", cells)


def cellvit_geojson(folder: Path) -> Path:
    features = [
        {
            "type": "Feature",
            "id": f"{number}",
            "geometry": {
                "type": "MultiPoint",
                "coordinates": [[x, y] for x, y, _, own in FINDINGS if own == label],
            },
            "properties": {"objectType": "annotation", "classification": {"name": label, "color": [0, 0, 9]}},
        }
        for label, number in NUMBERS.items()
    ]
    return _json(folder / "cell_detection.geojson", features)


WRITTEN: dict[str, Callable[[Path], Path]] = {
    one.__name__: one
    for one in (
        hover_net,
        tia_dat,
        cellvit,
        mmdetection,
        grand_challenge,
        qupath,
        qupath_table,
        odd_csv,
        parquet,
    )
}
"""Files by their documented layouts, with scores."""
UNSCORED = {one.__name__: one for one in (hover_next, cellvit_geojson)}
"""Files of programs that state none."""
REAL = sorted(path.name for path in PROGRAMS.iterdir() if path.suffix != ".md")
LABELS = ("1=mitotic figure", "2=look-alike")
"""What class numbers of the files that name none stand for."""
REAL_LABELS = {
    "ultralytics.txt": ("0=mitotic figure", "1=look-alike"),
    "pycocotools-results.json": ("2=mitotic figure", "1=look-alike"),
}
