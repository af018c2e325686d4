"""Studies made for the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import Rater, Round, RoundKind, Shape, SlideRecord, Store, Study, StudyBuilder
from mitoscope.store.sight import Sight
from mitoscope.store.slide_cells import SeenCells, cells_seen

ChildScript = Callable[..., "subprocess.Popen[str]"]


def scattered_study(cells: int = 50, *, slides: int = 2, seed: int = 7) -> Study:
    """Return a study of spots at random places, each labelled by two experts who disagree at times."""
    rng = np.random.default_rng(seed)
    builder = StudyBuilder(DEFAULT_LABELS)
    rows = [
        builder.slide(
            SlideRecord(f"slide {n}.svs", SizePx(10_000, 8_000), Mpp.square(0.25), case=f"case {n}")
        )
        for n in range(slides)
    ]
    experts = [builder.rater(Rater(f"expert {n}")) for n in (1, 2)]
    screening = builder.round(Round("screening", RoundKind.SCREENING))
    second = builder.round(Round("second read", RoundKind.SECOND_READ))
    for number in range(cells):
        x, y = rng.uniform(0, 8_000, 2).round(1)
        cell = builder.cell(rows[number % slides], (x, y), shape=Shape.SPOT, guid=f"guid {number}")
        label = int(rng.integers(2))
        builder.event(cell, experts[0], label, round_=screening, time_s=1e9 + number)
        other = label if rng.random() < 0.8 else 1 - label
        builder.event(cell, experts[1], other, round_=second, time_s=2e9 + number)
    return builder.build()


def cells_in(store: Store, slide_id: int, box: BoxPx0) -> SeenCells:
    """Return the live cells whose bounds meet a box, as an unblinded rater sees them."""
    sight = Sight(1, 1, 1, is_blinded=False, shows_labels=True, own_only=False)
    with store.reading() as connection:
        return cells_seen(connection, sight, slide_id, box=box)


@dataclass
class Clock:
    """The clock by which labels, visits and answers come in: each so many seconds after the one before."""

    step_s: float = 3.0
    now_s: float = 1e9

    def time(self) -> float:
        self.now_s += self.step_s
        return self.now_s
