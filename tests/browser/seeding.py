"""Cells, candidates and tiles put into the served study through its API."""

from __future__ import annotations

import csv
from pathlib import Path

from .making import Clinic, Person


def truth(slides: Path) -> list[tuple[float, float, str]]:
    """Return place and class of all figures of the synthetic slide."""
    with (slides / "breast-01.truth.csv").open(encoding="utf-8") as stream:
        return [(float(row["x"]), float(row["y"]), row["label"]) for row in csv.DictReader(stream)]


def label_all(clinic: Clinic, rater: Person, slides: Path, *, n: int = 100, slide: int | None = None) -> int:
    """Have a rater screen a slide: cells with their true classes; return the round."""
    slide = clinic.slide["id"] if slide is None else slide
    round_ = clinic.round("first read", "screening", rater)
    for x, y, label in truth(slides)[:n]:
        rater.act(round_, kind="create", slide=slide, x=x, y=y, label=clinic.labels[label])
    return round_


def candidates(clinic: Clinic, rater: Person, slides: Path, *, slide: int) -> list[int]:
    """Have a model propose the true figures with falling scores; return the review's rounds."""
    rows = [f"{x},{y},{0.97 - 0.07 * at:.3f}" for at, (x, y, _) in enumerate(truth(slides))]
    body = {"model": "detector", "bins": 2, "threshold": 0, "raters": [rater.id], "slide": slide}
    name = f"candidates {rater.name}"
    answer = clinic.lead.post("/api/reviews", name=name, csv="\n".join(["x,y,score", *rows]) + "\n", **body)
    return [int(one) for one in answer["rounds"]]
