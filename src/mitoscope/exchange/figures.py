"""What the formats of one slide and one label have in common: points or outlines of mitotic figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mitoscope.exchange.classes import CONSENSUS, stated_classes
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label, is_figure
from mitoscope.store import Rater, SlideRecord, Study, StudyBuilder


@dataclass(frozen=True, slots=True)
class Figure:
    """A live cell of a study with its outcome."""

    row: int
    label: Label
    score: float
    centre_px0: tuple[float, float]


def figures(study: Study, options: WriteOptions, *labels: Label, models: bool = False) -> Iterator[Figure]:
    """Yield the live cells of the labels, in order; with ``models`` also those of which only models spoke.

    A figure of a kind that is not asked for is a mitotic figure: a format without atypical ones keeps them.
    """
    wanted = {label.name for label in labels}
    classes, scores = stated_classes(study, options.policy, models=models)
    centres = study.cells.centres_px0
    for row in np.flatnonzero((classes >= 0) & ~study.cells.deleted).tolist():
        label = study.labels.labels[classes[row]]
        if label.name not in wanted and is_figure(label.name):
            label = MITOTIC_FIGURE
        if label.name in wanted:
            yield Figure(row, label, float(scores[row]), (float(centres[row, 0]), float(centres[row, 1])))


class FigureList:
    """Builds the study of a file of one slide: cells, each with the label of one voice."""

    def __init__(self, slide: str, options: ReadOptions, *, default: Rater = CONSENSUS) -> None:
        self.build = StudyBuilder()
        self.slide = self.build.slide(SlideRecord(slide))
        self.rater = self.build.rater(options.speaker(default))
        for label in (MITOTIC_FIGURE, LOOK_ALIKE):
            self.build.label(label)

    def add(
        self, bounds_px0: Sequence[float], label: Label, *, score: float = np.nan, **columns: Any
    ) -> None:
        """Add a cell with its label; see `StudyBuilder.cell`."""
        cell = self.build.cell(self.slide, bounds_px0, **columns)
        self.build.event(cell, self.rater, self.build.label(label), score=score)

    def study(self) -> Study:
        """Return the study."""
        return self.build.build()
