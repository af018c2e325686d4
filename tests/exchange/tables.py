"""Tables of detections of many images, as other tools write them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from mitoscope.detections import Detections
from mitoscope.exchange.csv_text import inert


def write_many(path: Path, detections: Mapping[str, Detections]) -> None:
    """Write ``image,x,y,score,label`` in the order given; an image without a detection has an empty row."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", "x", "y", "score", "label"))
        for image, found in detections.items():
            columns = (found.x_px0, found.y_px0, found.score, found.stated_label)
            rows = list(zip(*(column.tolist() for column in columns), strict=True))
            for x, y, score, label in rows:
                writer.writerow((inert(image), repr(x), repr(y), repr(score), inert(label)))
            if not rows:
                writer.writerow((inert(image), "", "", "", ""))
