"""What a format has no room for: said when a study is written, never left out in silence."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from mitoscope.exchange.outcome import outcome
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store.kinds import RaterKind, Shape
from mitoscope.store.records import UNSTATED_ROUND, Study
from mitoscope.truth import Domain


class Aspect(StrEnum):
    """What a study can hold and a format may not."""

    LOOK_ALIKES = "look-alikes"
    OTHERS = "cells of other labels, or of none that is agreed on"
    RATERS = "who gave which label"
    ROUNDS = "rounds"
    TIMES = "times of labels"
    SCORES = "scores"
    SECONDS = "seconds spent on labels"
    SHAPES = "boxes, circles and polygons (their centres are written)"
    PLANES = "focal planes"
    DELETED = "cells marked as deleted"
    GUIDS = "globally unique ids"
    REGIONS = "regions"
    VERSIONS = "dataset versions"
    SLIDES = "resolutions, cases, hashes and domains of slides"
    QUARANTINE = "quarantined entries"


EVERYTHING = frozenset(Aspect)


def left_out(study: Study, holds: frozenset[Aspect]) -> tuple[str, ...]:
    """Return a line for each aspect that the study has and the format does not hold, with its count."""
    labels, _ = outcome(study)
    names = [study.labels.labels[label].name if label >= 0 else "" for label in labels.tolist()]
    counts = {
        Aspect.LOOK_ALIKES: names.count(LOOK_ALIKE.name),
        Aspect.OTHERS: sum(name not in (MITOTIC_FIGURE.name, LOOK_ALIKE.name) for name in names),
        Aspect.RATERS: sum(rater.kind is not RaterKind.CONSENSUS for rater in study.raters),
        Aspect.ROUNDS: sum(one != UNSTATED_ROUND for one in study.rounds),
        Aspect.TIMES: int(np.isfinite(study.events.time_s).sum()),
        Aspect.SCORES: int(np.isfinite(study.events.score).sum()),
        Aspect.SECONDS: int(np.isfinite(study.events.seconds).sum()),
        Aspect.SHAPES: int((study.cells.shape != Shape.SPOT).sum()),
        Aspect.PLANES: int((study.cells.z != 0).sum()),
        Aspect.DELETED: int(study.cells.deleted.sum()),
        Aspect.GUIDS: sum(one is not None for one in study.cells.guid),
        Aspect.REGIONS: len(study.regions),
        Aspect.VERSIONS: len(study.versions),
        Aspect.SLIDES: sum(
            one.mpp is not None or one.sha256 is not None or one.case is not None or one.domain != Domain()
            for one in study.slides
        ),
        Aspect.QUARANTINE: len(study.quarantine),
    }
    return tuple(
        f"not held by the format: {aspect} ({count})"
        for aspect, count in counts.items()
        if count and aspect not in holds
    )
