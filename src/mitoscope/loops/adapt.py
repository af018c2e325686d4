"""A second stage fitted to a laboratory: its last layers learn anew from local labels, and must prove better.

The networks stay as they are up to the last layer. That one is fitted to the candidates of the bundle on the
labelled slides, held back towards what it was (`mitoscope.statistics.fit_correction`); how strongly is
chosen by the cases left out, and so is everything that is told: each case is judged by layers that have not
seen it. What is not better there is not written.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from mitoscope.bundle import (
    F1,
    Bundle,
    FigureShare,
    Manifest,
    Metric,
    OperatingPoint,
    ScoreCalibration,
    TrainingSource,
    Verifier,
)
from mitoscope.bundle.last_layer import Features, LastLayer, find_last_layer
from mitoscope.bundle.write import revise
from mitoscope.data.sources import same_content
from mitoscope.detections import Detections
from mitoscope.errors import BundleError, NotBetterError, TrainingDataError
from mitoscope.evaluate import (
    Comparison,
    Difference,
    Evaluation,
    JudgedImage,
    Protocol,
    Steps,
    average_precision,
    choose_threshold,
    compare,
    evaluate,
)
from mitoscope.image_names import match_stems
from mitoscope.infer import DetectConfig, ListedSlide, detect_slides
from mitoscope.infer.verify import plan_parts, read_part
from mitoscope.labels import AMBIGUOUS
from mitoscope.slide import Plane, open_slide
from mitoscope.statistics import Interval, Score, bootstrap, choose_strength, fit_correction, fit_line
from mitoscope.truth import GroundTruth, SlideTruth, balanced_folds

CASES_LEAST: Final = 3
"""One is left out to judge, and of the others one to choose how strongly to hold back."""
FIGURES_LEAST: Final = 20
FOLDS_MOST: Final = 5
_NEGATIVES: Final = 1000
"""Of a case so many candidates that are none are learnt from at most, drawn at random."""
_TRIED: Final = 32
_VIEWS: Final = ((1, 1), (1, -1), (-1, 1), (-1, -1))
_CARD_NAME: Final = "MODEL_CARD.md"

Floats = NDArray[np.float64]
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """How a detector does on cases from which neither its layers nor its threshold were learnt.

    Parameters
    ----------
    evaluation : Evaluation
        At threshold 0.
    scores : mapping of str to Score
        Of each case, at the threshold of greatest F1 on all others.
    """

    evaluation: Evaluation
    scores: Mapping[str, Score]

    @classmethod
    def of(cls, evaluation: Evaluation) -> HeldOut:
        """Choose for each case the threshold by the others."""
        steps = evaluation.case_steps
        scores = {}
        for case, own in steps.items():
            others = Steps.total(one for name, one in steps.items() if name != case)
            scores[case] = own.at(choose_threshold(others).value)
        return cls(evaluation, scores)

    @property
    def score(self) -> Score:
        """Sum over the cases."""
        return Score.total(self.scores.values())

    @property
    def f1_interval(self) -> Interval | None:
        """95 % of F1, by drawing cases."""
        return bootstrap(list(self.scores.values())).f1

    @property
    def average_precision(self) -> float:
        """Over all thresholds."""
        return average_precision(self.evaluation.total_steps) or 0.0


@dataclass(frozen=True, eq=False)
class Adaptation:
    """New last layers, and what they gave on cases that were held out.

    Parameters
    ----------
    graphs : mapping of str to bytes
        The verifier's graphs, learnt from all cases.
    shipped, adapted : HeldOut
    as_shipped : Score
        The bundle as it is, at its own threshold.
    strengths : tuple of float
        How strongly each graph's layer was held back; infinite where it stays as it was.
    truth : GroundTruth
    protocol : Protocol
    """

    graphs: Mapping[str, bytes]
    shipped: HeldOut
    adapted: HeldOut
    as_shipped: Score
    strengths: tuple[float, ...]
    truth: GroundTruth
    protocol: Protocol

    @property
    def difference(self) -> Comparison:
        """Adapted minus shipped, each at thresholds chosen on the other cases; drawn by case."""
        sides = [
            {case: (score, side.evaluation.case_steps[case]) for case, score in side.scores.items()}
            for side in (self.adapted, self.shipped)
        ]
        return compare(*sides)

    @property
    def is_better(self) -> bool:
        """Whether average precision gains by more than chance, and F1 loses nothing."""
        area, f1 = self.difference.average_precision, self.difference.f1
        return area.interval is not None and area.interval.low > 0 and f1.value is not None and f1.value >= 0

    def describe(self) -> str:
        """Say in a line what was gained on the cases held out."""
        gain = self.difference
        return (
            f"on {gain.cases} held-out cases average precision {self.shipped.average_precision:.3f} → "
            f"{self.adapted.average_precision:.3f}, difference {_told(gain.average_precision)}; "
            f"F1 {self.shipped.score.f1 or 0:.3f} → {self.adapted.score.f1 or 0:.3f}, "
            f"difference {_told(gain.f1)}"
        )


def _told(difference: Difference) -> str:
    ends = (
        ""
        if difference.interval is None
        else f" [{difference.interval.low:+.3f}, {difference.interval.high:+.3f}]"
    )
    return f"{difference.value or 0:+.3f}{ends}"


@dataclass(frozen=True, eq=False)
class _Rows:
    """Candidates to learn from: crops (n, side, side, 3), whether each is a figure, and its case."""

    crops: NDArray[np.uint8]
    true: NDArray[np.bool_]
    case: NDArray[np.str_]


def adapt(
    bundle: Bundle,
    truth: GroundTruth,
    slides: Mapping[str, Path],
    *,
    protocol: Protocol,
    config: DetectConfig | None = None,
    say: Say = lambda _: None,
) -> Adaptation:
    """Fit the last layers of a bundle's second stage to labelled slides, and judge that by cases left out.

    Parameters
    ----------
    bundle : Bundle
        A detector of two stages.
    truth : GroundTruth
        What was not examined is no negative.
    slides : mapping of str to Path
        Slide name → file.
    protocol : Protocol
        The rule by which candidates are figures, and by which both are judged.
    config : DetectConfig, optional
        How slides are searched.
    say : callable
        Told what is being done.

    Raises
    ------
    BundleError
        If the bundle has a single stage, or a verifier without a last layer that can be trained.
    TrainingDataError
        If there are fewer than 3 cases or 20 figures, or candidates of one kind alone.
    MitoscopeError
        As `detect_slides` and `evaluate`.
    """
    verifier = bundle.manifest.verifier
    if verifier is None:
        raise BundleError(
            f"{bundle.manifest.source} has no second stage to adapt",
            where=bundle.folder,
            mend="take a bundle of two stages, or choose a threshold with bundle calibrate",
        )
    # The layers are learnt, and calibrated anew, on scores as the second stage gives them.
    config = (config or DetectConfig()).model_copy(update={"prior_shift": False})
    fold_of = _folds(truth)
    with tempfile.TemporaryDirectory(prefix="mitoscope-") as name:
        folder = Path(name)
        say(f"searching {len(truth)} slides with {bundle.manifest.source}")
        before = _judge(bundle, truth, slides, folder / "shipped", protocol=protocol, config=config)
        rows = _rows(before, slides, bundle.manifest, verifier, config)
        say(f"learning from {len(rows.true)} candidates, {int(rows.true.sum())} of them figures")
        layers, features = _look(bundle, verifier, rows)
        found: dict[str, Detections] = {}
        for fold in sorted(set(fold_of.values())):
            own = truth.with_slides(slide for slide in truth if fold_of[slide.case] == fold)
            say(f"judging on {len({slide.case for slide in own})} cases left out, part {fold + 1}")
            known = np.array([fold_of[case] != fold for case in rows.case.tolist()], dtype=np.bool_)
            graphs, _ = _learn(layers, features, rows, known)
            part = revise(bundle, folder / f"bundle-{fold}", _adapted_version(bundle), verifiers=graphs)
            found |= _detect(part, own, slides, folder / f"found-{fold}", config=config)
        after = evaluate(found, truth, protocol=protocol, threshold=0.0)
        graphs, strengths = _learn(layers, features, rows, np.ones(len(rows.true), np.bool_))
    return Adaptation(
        graphs=graphs,
        shipped=HeldOut.of(before),
        adapted=HeldOut.of(after),
        as_shipped=before.at(bundle.manifest.default_threshold).score,
        strengths=strengths,
        truth=truth,
        protocol=protocol,
    )


def _folds(truth: GroundTruth) -> dict[str, int]:
    """Return the fold in which each case is held out; of few cases each is one."""
    figures: dict[str, int] = defaultdict(int)
    for slide in truth:
        figures[slide.case] += int(slide.cells.is_figure.sum())
    total = sum(figures.values())
    if len(figures) < CASES_LEAST or total < FIGURES_LEAST:
        raise TrainingDataError(
            f"{total} mitotic figures of {len(figures)} cases are too few to adapt and judge a detector",
            where=truth.source or None,
            mend=f"label {CASES_LEAST} cases or more with {FIGURES_LEAST} figures, or choose a threshold "
            "with bundle calibrate",
        )
    return balanced_folds(figures, folds=min(FOLDS_MOST, len(figures)), seed=0)


def _adapted_version(bundle: Bundle) -> dict[str, Any]:
    return {"version": f"{bundle.manifest.version.partition('-')[0]}-adapted"}


def _judge(
    bundle: Bundle,
    truth: GroundTruth,
    slides: Mapping[str, Path],
    out: Path,
    *,
    protocol: Protocol,
    config: DetectConfig,
) -> Evaluation:
    found = _detect(bundle, truth, slides, out, config=config)
    return evaluate(found, truth, protocol=protocol, threshold=0.0)


def _detect(
    bundle: Bundle,
    truth: GroundTruth,
    slides: Mapping[str, Path],
    out: Path,
    *,
    config: DetectConfig,
) -> dict[str, Detections]:
    """Search slides where they were examined; return what was found by the slide's name."""
    names = {slides[slide.name]: slide.name for slide in truth}
    found = {}
    for outcome in detect_slides([_listed(slide, slides) for slide in truth], bundle, out, config=config):
        if outcome.run is None:
            assert outcome.error is not None  # either is given
            raise outcome.error
        name, info = names[outcome.path], outcome.run.slide
        stated = truth.by_name[name].sha256
        if stated is not None and not same_content(stated, info.fingerprint):
            raise TrainingDataError(
                "is not the file that was labelled",
                where=outcome.path,
                mend="give the folder of the original slides, or import the changed slide again",
            )
        found[name] = outcome.run.detections
    return found


def _listed(slide: SlideTruth, slides: Mapping[str, Path]) -> ListedSlide:
    examined = slide.stated_examined
    roi = None
    if examined is not None and examined.region is not None and not examined.region.shape.is_empty:
        left, top, right, bottom = examined.region.shape.bounds
        left, top = max(left, 0.0), max(top, 0.0)
        roi = (left, top, right - left, bottom - top)
    return ListedSlide(slides[slide.name], None if slide.mpp is None else slide.mpp.mean, roi)


def _rows(
    judged: Evaluation,
    slides: Mapping[str, Path],
    manifest: Manifest,
    verifier: Verifier,
    config: DetectConfig,
) -> _Rows:
    """Cut out what can be learnt from: judged candidates, and labelled cells that were not found."""
    random = np.random.default_rng(0)
    crops: list[NDArray[np.uint8]] = []
    true: list[NDArray[np.bool_]] = []
    case: list[str] = []
    stems = match_stems(judged.truth.by_name, where=judged.truth.source or "the ground truth")
    share = _share_kept(judged)
    for slide in judged.truth:
        points, figure = _labelled(judged.judged_images[stems[slide.name]], manifest)
        kept = figure | (random.random(len(figure)) < share[slide.case])
        points, figure = points[kept], figure[kept]
        if len(points):
            listed = _listed(slide, slides).configured(config)
            crops += _crops(slides[slide.name], points, manifest, verifier, config=listed)
            true.append(figure)
            case += [slide.case] * len(figure)
    told = np.concatenate([np.empty(0, np.bool_), *true])
    if not told.any() or told.all():
        kind = "a figure" if not told.any() else "none"
        raise TrainingDataError(
            f"no candidate of {manifest.source} is {kind}: there are no two kinds to distinguish",
            where=judged.truth.source or None,
            mend="label more slides, and state what of them was examined",
        )
    return _Rows(np.stack(crops), told, np.array(case))


def _share_kept(judged: Evaluation) -> dict[str, float]:
    """Return of each case which share of the false candidates is learnt from."""
    false = {case: int((~true).sum()) for case, (_, true) in judged.outcomes().items()}
    return {case: min(1.0, _NEGATIVES / max(count, 1)) for case, count in false.items()}


def _labelled(image: JudgedImage, manifest: Manifest) -> tuple[Floats, NDArray[np.bool_]]:
    """Return places to learn from, (n, 2) px0, and which of them are figures."""
    matching, detected = image.sweep.matching, image.candidates.points_px0
    mpp = image.mpp.mean if image.mpp is not None else manifest.mpp
    reach = manifest.nms_radius_um / mpp
    kept = matching.judged & ~_near(detected, image.cells.labelled(AMBIGUOUS.name), reach)
    missed = image.cells.figures_px0[matching.detection_of < 0]
    look_alikes = image.cells.look_alikes_px0
    known = look_alikes[~_near(look_alikes, detected, reach)]
    points = np.concatenate([detected[kept], missed, known])
    figure = np.concatenate(
        [matching.truth_of[kept] >= 0, np.ones(len(missed), np.bool_), np.zeros(len(known), np.bool_)]
    )
    return points, figure


def _near(points: Floats, others: Floats, reach: float) -> NDArray[np.bool_]:
    if not len(points) or not len(others):
        return np.zeros(len(points), np.bool_)
    distance, _ = KDTree(others).query(points)
    return np.asarray(distance) < reach


def _crops(
    path: Path, points: Floats, manifest: Manifest, verifier: Verifier, *, config: DetectConfig
) -> list[NDArray[np.uint8]]:
    """Read what the second stage sees of places, in their order."""
    places = Detections.of(points, np.zeros(len(points)))
    crops: dict[int, NDArray[np.uint8]] = {}
    side = verifier.crop_px
    mirror_px = side if manifest.border == "mirror" else 0
    with open_slide(path, mpp=config.mpp, mpp_override=config.mpp_override) as slide:
        plane = Plane(slide, verifier.mpp, tolerance=manifest.mpp_tolerance)
        for part in plan_parts(points):
            read = read_part(plane, part, places, crop_px=side, mirror_px=mirror_px)
            crops |= dict(zip(part.candidates, read.crops, strict=True))
    return [crops[place] for place in range(len(points))]


def _look(
    bundle: Bundle, verifier: Verifier, rows: _Rows
) -> tuple[dict[str, LastLayer], dict[str, Features]]:
    """Find the last layer of each graph, and let it see every crop in four mirror images."""
    column = verifier.column(bundle.manifest.detects)
    layers, features = {}, {}
    for name, side in zip(verifier.files, verifier.sides_px, strict=True):
        edge = (verifier.crop_px - side) // 2
        middle = rows.crops[:, edge : edge + side, edge : edge + side]
        tried = np.concatenate([middle[rows.true][:_TRIED], middle[~rows.true][:_TRIED]])
        layer = find_last_layer(bundle.read(name), tried, column=column, where=str(bundle.folder / name))
        views = [layer.of(np.ascontiguousarray(middle[:, ::down, ::across])) for down, across in _VIEWS]
        layers[name], features[name] = layer, _mean(views)
    return layers, features


def _mean(views: Sequence[Features]) -> Features:
    """Return the mean over the views of each crop in which something was seen."""
    known = np.stack([view.known for view in views])
    weight = known / np.maximum(known.sum(axis=0), 1)
    values = np.einsum("vn,vnf->nf", weight, np.stack([view.values for view in views]))
    log_odds = np.einsum("vn,vn->n", weight, np.stack([view.log_odds for view in views]))
    return Features(values, log_odds, np.asarray(known.any(axis=0)))


def _learn(
    layers: Mapping[str, LastLayer], features: Mapping[str, Features], rows: _Rows, chosen: NDArray[np.bool_]
) -> tuple[dict[str, bytes], tuple[float, ...]]:
    """Return the graphs with layers learnt from the chosen rows, and how strongly each was held back."""
    graphs, strengths = {}, []
    for name, layer in layers.items():
        seen = features[name]
        own = chosen & seen.known
        values, log_odds, true = seen.values[own], seen.log_odds[own], rows.true[own]
        strength = choose_strength(values, log_odds, true, rows.case[own].tolist())
        change = fit_correction(values, log_odds, true, strength=strength).weights
        graphs[name] = layer.changed(change, _same_scale(log_odds, values @ change))
        strengths.append(strength)
    return graphs, tuple(strengths)


def _same_scale(log_odds: Floats, change: Floats) -> float:
    """Return the shift with which as many score above one half as before.

    What the bundle states on this scale (doubt, blend, thresholds of other protocols) goes on to mean
    something; the share of figures among local candidates is the business of the calibration.
    """
    above = int((log_odds > 0).sum())
    if not 0 < above < len(log_odds):
        return -float(change.mean())
    ordered = np.sort(log_odds + change)[::-1]
    return -float(ordered[above - 1] + ordered[above]) / 2


def write_adapted(
    bundle: Bundle, adaptation: Adaptation, out: Path, *, dataset: str, licence: str | None = None
) -> Bundle:
    """Write a bundle with the adapted layers, its calibration and threshold chosen on the cases left out.

    Parameters
    ----------
    bundle : Bundle
        The one that was adapted.
    adaptation : Adaptation
    out : Path
        Must not exist.
    dataset : str
        What the labelled slides are called in the new bundle.
    licence : str, optional
        Of them; by default what their version states.

    Raises
    ------
    NotBetterError
        If the adapted layers are not better on held-out cases. Nothing is written then.
    BundleError, OutputError
        If the bundle cannot be written.
    """
    if not adaptation.is_better:
        raise NotBetterError(
            f"not better {adaptation.describe()}; nothing was written",
            where=bundle.manifest.source,
            mend="label more cases, or choose a threshold with bundle calibrate",
        )
    changes = _changes(bundle.manifest, adaptation, dataset=dataset, licence=licence)
    card = bundle.read(_CARD_NAME) if _CARD_NAME in bundle.manifest.files else b""
    more = f"\n## Adapted\nLast layers of the second stage learnt from {dataset}: {adaptation.describe()}.\n"
    return revise(
        bundle,
        out,
        {**changes, **_adapted_version(bundle)},
        verifiers=adaptation.graphs,
        files={_CARD_NAME: card + more.encode()},
    )


def _changes(
    manifest: Manifest, adaptation: Adaptation, *, dataset: str, licence: str | None
) -> dict[str, Any]:
    """Return what the new bundle states otherwise.

    Points and measures of the earlier layers hold no more. The scores become probabilities anew, and the
    threshold is chosen, on what the layers of the other cases say of each case.
    """
    truth, judged = adaptation.truth, adaptation.adapted.evaluation
    told = f"{dataset} (each case by layers of the others)"
    scores, true = (np.concatenate(column) for column in zip(*judged.outcomes().values(), strict=True))
    line = fit_line(scores, true)
    share = FigureShare(share=float(true.mean()), candidates=len(true), images=len(judged.judged_images))
    calibration = ScoreCalibration(slope=line.slope, intercept=line.intercept, fitted_on=told, figures=share)
    point = OperatingPoint(
        name=F1,
        protocol=adaptation.protocol.name,
        threshold=round(float(line(choose_threshold(judged.total_steps).value)), 6),
        chosen_on=told,
        cases=len(judged.case_steps),
        figures=judged.score.tp + judged.score.fn,
    )
    source = TrainingSource(
        name=dataset,
        licence=licence or "; ".join(truth.licences) or "not stated",
        attribution="not stated",
        sha256=(truth.sha256,),
        labels=truth.source or None,
        policy=None if truth.policy is None else str(truth.policy),
    )
    return {
        "calibration": calibration.after(manifest.calibration),
        "points": (point,),
        "default_point": F1,
        "training": (source, *manifest.training),
        "metrics": _metrics(adaptation, f"{dataset} (each case by layers and threshold of the others)"),
    }


def _metrics(adaptation: Adaptation, dataset: str) -> tuple[Metric, ...]:
    """Return the scores on held-out cases; those of the earlier layers hold no more."""
    side = adaptation.adapted
    ends = bootstrap(list(side.scores.values()))
    parts = {
        "f1": (side.score.f1, ends.f1),
        "precision": (side.score.precision, ends.precision),
        "recall": (side.score.recall, ends.recall),
        "average precision": (side.average_precision, side.evaluation.average_precision_interval),
    }
    return tuple(
        Metric(
            name=name,
            dataset=dataset,
            protocol=adaptation.protocol.name,
            value=value,
            ci_low=min(interval.low, value),
            ci_high=max(interval.high, value),
            images=len(side.scores),
        )
        for name, (value, interval) in parts.items()
        if value is not None and interval is not None
    )
