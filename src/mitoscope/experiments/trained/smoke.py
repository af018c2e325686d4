"""The smoke size: synthetic slides of several synthetic domains, tiny networks and a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from mitoscope.data.sources import AnnotatedSlides
from mitoscope.exchange import write_study
from mitoscope.experiments.trained.declaration import Declaration
from mitoscope.experiments.trained.slides import SlideSet
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.slide.synthetic import DOMAINS, PaintedTruth, SyntheticSlideConfig, field_config, render_field
from mitoscope.store import Domain, Rater, RaterKind, SlideRecord, Study, StudyBuilder, ground_truth_of
from mitoscope.truth import GroundTruth, SlideTruth

MPP: Final = 0.25
_SIDE_PX: Final = 160
_WIDE_PX: Final = 320
"""Of slides that are cut into sub-tiles: some of these hold no figure."""
_PAINTED_PX: Final = 448
_SEED_STEP: Final = 1009
_LEARN, _TEST, _UNLABELLED = 3, 1, 1
"""Slides of each domain to learn from, to test, and to mine."""
_SLIDES: Final = "synthetic/slides"
_OTHER: Final = (LOOK_ALIKE.name, "tumour cell", "granulocyte")
"""Classes that every smoke slide holds, as data sets do; any places are labelled so."""
_DROPPED: Final = 0.15
"""Cells that each further set of the same slides lacks, as variants of a data set do."""

Cells = tuple[tuple[float, float, str], ...]
_SHORT: Final = (
    "validation.every=2",
    "validation.tiles=2",
    "calibration.tiles=2",
    "validation.batches=1",
    "run.checkpoint_every=2",
    "run.tensorboard=false",
    "data.split.halves=false",
    "data.split.every_nth=2",
)
_BOXES: Final = (
    "model.patch_px=160",  # smaller ones would be searched in more windows, which have a least size
    "model.score_floor=0.0",
    "data.sampling.window_px=160",
    "data.sampling.batch=2",
    "calibration.score_floor=0.0",
)
_CELLS: Final = (
    "model.backbone=resnet18",
    "model.patch_px=64",
    "data.sampling.window_px=64",
    "data.sampling.batch=2",
)
_TINY: Final = {
    "fcn-resnet12": (
        "model.widths=[16, 16, 16]",
        "data.sampling.foreground=2",
        "data.sampling.bg_hard=1",
        "data.sampling.bg_random=1",
        "data.split.held_out=[]",
        "mining.crops=2",
        "calibration.dataset=validation",
        "calibration.score_floor=0.0",
    ),
    "retinanet-resnet18": ("model.channels=16", *_BOXES),
    "faster-rcnn-resnet50": (
        "model.patch_px=128",
        "model.regions=32",
        "model.score_floor=0.0",
        "data.sampling.window_px=128",
        "data.sampling.batch=2",
        "calibration.score_floor=0.0",
    ),
    "classifier": _CELLS,
    "regressor": ("model.patch_px=64", "data.sampling.window_px=64", "data.sampling.batch=2"),
}
_SUB_TILES: Final = ("data.sampling.step_px=32", "data.sampling.epoch=20", "validation.metric=loss")
_SUBSET_MAX: Final = 2
_SHOWN: Final = (0.4, 0.6, 0.8, 1.0)
"""Agreement on the cells of crowd studies."""


def smoke_declaration(declared: Declaration) -> Declaration:
    """Return the declaration with what a few synthetic slides allow: two networks an arm, few slides."""
    arms = tuple(
        arm.model_copy(update={"cases_max": min(arm.cases_max, 4), "cases": (), "fields": 0})
        for arm in declared.arms
    )
    changes = {"arms": arms, "repeats": min(declared.repeats, 2), "folds": min(declared.folds, 2)}
    return declared.model_copy(update=changes)


def shrink(path: Path, changes: Sequence[str] = ()) -> list[str]:
    """Return the changes that make a recipe, changed already, tiny and short."""
    from mitoscope.train.settings import read_settings, with_change

    values = read_settings(path)
    for change in changes:
        values = with_change(values, change)
    dual = "detector" in values
    found: list[str] = []
    for part in ("detector", "verifier") if dual else ("",):
        recipe = values[part] if dual else values
        own = [*_SHORT, *_TINY[recipe["model"]["architecture"]]]
        if "weights" in recipe["model"]:  # nothing is fetched
            own.append("model.weights=random")
        sampling = recipe["data"]["sampling"]
        if sampling["kind"] == "crowd":
            own += _SUB_TILES
            subsets = {key: sampling[key] for key in ("events", "negative_tiles") if sampling.get(key)}
            own += [f"data.sampling.{key}={min(number, _SUBSET_MAX)}" for key, number in subsets.items()]
        for place in range(len(recipe["phases"])):
            own += [f"phases.{place}.steps=2", f"phases.{place}.cycles=1"]
        found += [f"{part}.{key}" if part else key for key in own]
    return found


def smoke_sets(declared: Declaration, out: Path) -> dict[str, SlideSet]:
    """Return the sets of a declaration, of synthetic slides that all experiments share.

    Parameters
    ----------
    declared : Declaration
        Its domains get a synthetic one each, in turn.
    out : Path
        Folder of all results; the slides are kept there.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    folder = make_directory(out / _SLIDES)
    side = _WIDE_PX if declared.measure == "tiles" else _SIDE_PX
    sets = {}
    for index, name in enumerate(declared.sets):
        names, only = _domains(declared, name), declared.sets[name].only_tests
        if declared.sets[name].unlabelled:
            sets[name] = _unlabelled(name, folder, names)
            continue
        chosen = {
            f"{domain}-{number}.png": (_painted(folder, place, number, side), domain, number >= _LEARN)
            for place, domain in enumerate(names)
            for number in range(_LEARN if only else 0, _LEARN + _TEST)
        }
        study = _study(chosen, lacking=index, name=name)
        labels = folder / f"{name}.csv"
        files = {slide: path for slide, ((path, _), _, _) in chosen.items()}
        tests = frozenset(slide for slide, (_, _, testing) in chosen.items() if testing)
        if declared.sets[name].only_trains:
            tests = frozenset()
        write_study(study, labels, "csv")
        source = AnnotatedSlides(kind="annotated-slides", labels=labels.name, title="synthetic slides")
        truth = ground_truth_of(study, source=labels.name)
        if declared.measure == "tiles":
            truth = _as_of_a_crowd(truth)
        sets[name] = SlideSet.of(name, truth, files, tests=tests, slide_mpp=MPP, data=folder, source=source)
    return sets


def _as_of_a_crowd(truth: GroundTruth) -> GroundTruth:
    """Return the truth with agreements below 1, so that what is weighted by them differs."""
    random = np.random.default_rng(0)
    return truth.with_slides(
        replace(slide, cells=replace(slide.cells, agreement=random.choice(_SHOWN, len(slide.cells))))
        for slide in truth
    )


def _unlabelled(name: str, folder: Path, domains: Sequence[str]) -> SlideSet:
    """Return slides of their own, of which nothing is known."""
    files = {
        f"{domain}-{number}.png": _painted(folder, place, number, _SIDE_PX)[0]
        for place, domain in enumerate(domains)
        for number in range(_LEARN + _TEST, _LEARN + _TEST + _UNLABELLED)
    }
    truth = GroundTruth(tuple(SlideTruth(slide) for slide in files))
    source = AnnotatedSlides(kind="annotated-slides", labels="", title="synthetic slides")
    return SlideSet.of(name, truth, files, slide_mpp=MPP, data=folder, source=source)


def _domains(declared: Declaration, of_set: str) -> tuple[str, ...]:
    """Return the domains of a set: what arms and columns name; one that only tests has the columns' alone."""
    learnt = [name for arm in declared.arms for name in (*arm.domains, *arm.without)]
    tested = []
    if declared.measure == "points":
        groups = (column.score.split("/")[1] for column in declared.columns)
        tested = [name for name in groups if name not in ("all", *declared.sets)]
    if any(one.only_tests for one in declared.sets.values()) and tested:
        learnt, tested = ([], tested) if declared.sets[of_set].only_tests else (learnt, [])
    return tuple(dict.fromkeys((*learnt, *tested))) or ("first", "second")


@cache
def _painted(folder: Path, place: int, number: int, side: int) -> tuple[Path, Cells]:
    """Paint a slide unless it is there, and return it with its cells."""
    stain = list(DOMAINS)[place % len(DOMAINS)]
    name = f"{stain}-{place}-{number}-{side}"
    path, table = folder / f"{name}.png", folder / f"{name}.txt"
    if not table.exists():
        cells = _paint(path, stain, seed=100 * place + number, side=side)
        with atomic_write(table) as stream:
            stream.write("\n".join(f"{x}\t{y}\t{label}" for x, y, label in cells).encode())
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    return path, tuple((float(x), float(y), label) for x, y, label in rows)


def _paint(path: Path, stain: str, *, seed: int, side: int) -> Cells:
    """Paint fields until one holds a figure; the part of it with most cells is the slide."""
    values = dict(field_config(_PAINTED_PX)) | {
        "domain": DOMAINS[stain],
        "mitoses_per_mm2": 300.0,
        "hot_spot_mitoses_per_mm2": 300.0,
        "look_alikes_per_mm2": 300.0,
    }
    config = SyntheticSlideConfig.of(**values)
    cells: list[tuple[float, float, str]] = []
    while MITOTIC_FIGURE.name not in [label for _, _, label in cells]:
        rgb, truth = render_field(config, seed=seed)
        x, y = _richest(truth, side)
        cells = [
            (round(figure.x_px0 - x, 1), round(figure.y_px0 - y, 1), figure.label)
            for figure in truth.figures
            if x <= figure.x_px0 < x + side and y <= figure.y_px0 < y + side
        ]
        seed += _SEED_STEP
    places = np.random.default_rng(seed).uniform(30, side - 30, (2 * len(_OTHER), 2)).round(1).tolist()
    cells += [(x, y, _OTHER[index % len(_OTHER)]) for index, (x, y) in enumerate(places)]
    with atomic_write(path) as stream:
        Image.fromarray(rgb[y : y + side, x : x + side]).save(stream, "PNG")
    return tuple(cells)


def _richest(truth: PaintedTruth, side: int) -> tuple[int, int]:
    """Return the corner of the part, a figure in its middle, of most kinds of cells, then of most cells."""
    labels = [figure.label for figure in truth.figures]
    points = np.array([(figure.x_px0, figure.y_px0) for figure in truth.figures]).reshape(-1, 2)
    best = (0, 0, 0, 0)
    for corner in np.clip(truth.points() - side / 2, 0, _PAINTED_PX - side).astype(int).tolist():
        inside = ((points >= corner) & (points < np.add(corner, side))).all(axis=1)
        kinds = {label for label, own in zip(labels, inside.tolist(), strict=True) if own}
        best = max(best, (len(kinds), int(inside.sum()), *corner))
    return best[2:]


def _study(chosen: dict[str, tuple[tuple[Path, Cells], str, bool]], *, lacking: int, name: str) -> Study:
    build = StudyBuilder()
    rater = build.rater(Rater(name, RaterKind.CONSENSUS))
    random = np.random.default_rng(lacking)
    for slide, ((_, cells), domain, _) in chosen.items():
        place = build.slide(SlideRecord(slide, domain=Domain(tumour_type=domain)))
        seen: set[str] = set()
        for x, y, label in cells:
            drop = lacking > 0 and label in seen and random.random() < _DROPPED
            seen.add(label)
            if not drop:
                build.event(build.cell(place, (x, y)), rater, build.label(_label(label)))
    return build.build()


def _label(name: str) -> Label:
    known = {label.name: label for label in (MITOTIC_FIGURE, LOOK_ALIKE)}
    return known.get(name, Label(name, "#868e96"))
