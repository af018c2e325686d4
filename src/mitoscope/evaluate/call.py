"""``mitoscope.evaluate(…)``: whatever states findings against whatever states the ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol as Interface
from typing import runtime_checkable

from mitoscope.config import parse_word
from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.evaluate.evaluate import evaluate
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.judging import FileJudge
from mitoscope.evaluate.protocols import MITOSCOPE, Protocol, find_protocol
from mitoscope.evaluate.thresholds import ChosenThreshold
from mitoscope.exchange import Result, read_any_predictions
from mitoscope.geometry import Mpp
from mitoscope.labels import LabelMapping
from mitoscope.notebook import facts
from mitoscope.statistics import REPEATS, Interval
from mitoscope.truth import GroundTruth, Policy
from mitoscope.wording import say_number


@runtime_checkable
class Searched(Interface):
    """A searched slide, such as `mitoscope.detect` returns."""

    @property
    def detections(self) -> Detections:
        """All candidates, which say of what slide they are."""
        ...


Findings = (
    str | Path | Detections | Searched | Mapping[str, Detections | Result | Searched] | Sequence[Searched]
)
"""What states findings."""


def evaluate_any(
    predictions: Findings,
    truth: GroundTruth | str | Path,
    *,
    protocol: Protocol | str = MITOSCOPE,
    threshold: float | ChosenThreshold | None = None,
    policy: Policy | str | None = None,
    mapping: LabelMapping | Mapping[str, str] | None = None,
    split: str | None = None,
    examined: str | None = None,
    domains: str | Path | None = None,
    mpp: Mpp | float | None = None,
    mpp_override: bool = False,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Evaluation:
    """Compare detections with ground truth.

    Parameters
    ----------
    predictions : str, Path, Detections, searched slide or slides, or mapping
        A folder that `detect` wrote, a file of any format; what was found on one slide, or on each by the
        name of its image.
    truth : GroundTruth, str or Path
        Ground truth, a file of any format, a study (``study.mito``) or a version of it (``study.mito@MEL``).
    protocol : Protocol or str
        The matching rule: one of `PROTOCOLS`, or ``iou@0.5``. Scores under two protocols cannot be compared.
    threshold : float or ChosenThreshold, optional
        Scores above it count; by default what the findings state, and 0 where they state none.
    policy : Policy or str, optional
        How the labels of several raters become one, of a study or a file.
    mapping : LabelMapping or mapping of str to str, optional
        What class names of files stand for: ``{"Mitose": "mitotic figure"}``.
    split : str, optional
        Judge one side of the split alone: ``train``, ``validation`` or ``test``.
    examined : str, optional
        What was looked at on every slide of a file: ``whole``, ``tumour`` or ``regions``.
    domains : str or Path, optional
        Table of domains, which completes what a file states of its images.
    mpp : Mpp or float, optional
        Resolution in µm/px of images of which neither side states it.
    mpp_override : bool
        Let it replace what they state.
    repeats, seed : int
        Of the bootstrap, which draws cases.

    Returns
    -------
    Evaluation
        With ``f1``, ``precision``, ``recall``, ``intervals``, ``images`` and more.

    Raises
    ------
    ConfigError
        If there is no such protocol or policy, or the threshold is not in [0, 1].
    FormatError, StoreError, TruthError, UnknownLabelError
        If something cannot be read, or no image has both findings and ground truth.
    ScaleError, NotExaminedError
        As the function `evaluate` of the package.
    """
    scale, known = Mpp.of(mpp), LabelMapping.of(mapping)
    if isinstance(truth, GroundTruth):
        judged = truth if split is None else truth.on(split)
        detections = (
            read_any_predictions(Path(predictions), mapping=known)
            if isinstance(predictions, str | Path)
            else None
        )
    else:
        judge = FileJudge(
            truth,
            policy=None if policy is None else parse_word(Policy, policy, where="policy"),
            mapping=known,
            domains=None if domains is None else Path(domains),
            side=split,
            examined=examined,
            mpp=scale,
            mpp_override=mpp_override,
        )
        judged = judge.truth
        detections = judge.read_detections(Path(predictions)) if isinstance(predictions, str | Path) else None
    return evaluate(
        _by_image(predictions, judged) if detections is None else detections,
        judged,
        protocol=protocol if isinstance(protocol, Protocol) else find_protocol(protocol),
        threshold=threshold,
        mpp=scale,
        mpp_override=mpp_override,
        repeats=repeats,
        seed=seed,
    )


def _by_image(pred: Findings, truth: GroundTruth) -> Mapping[str, Detections | Result]:
    assert not isinstance(pred, str | Path)
    if isinstance(pred, Mapping):
        return {
            name: found.detections if isinstance(found, Searched) else found for name, found in pred.items()
        }
    if isinstance(pred, Detections):
        name = pred.searched.origin
        if not name and len(truth.slides) == 1:
            name = truth.slides[0].name
        if not name:
            raise FormatError(
                f"the detections do not say on which of {len(truth.slides)} images they were found",
                where="evaluation",
                mend="give them by the name of the image: {'slide.svs': detections}",
            )
        return {name: pred}
    runs = [pred] if isinstance(pred, Searched) else list(pred)
    return {run.detections.searched.origin: run.detections for run in runs}


def evaluation_html(judged: Evaluation) -> str:
    """Return an evaluation as HTML: protocol, threshold, scores with their intervals, how many images."""
    ends = judged.intervals
    score = judged.score
    n, cases = len(judged.images), len(judged.case_scores)
    rows: list[tuple[str, object]] = [
        ("F1", _share(score.f1, ends.f1)),
        ("precision", _share(score.precision, ends.precision)),
        ("recall", _share(score.recall, ends.recall)),
        ("true, false, missed", f"{score.tp:,}, {score.fp:,}, {score.fn:,}"),
        ("average precision", _share(judged.average_precision, judged.average_precision_interval)),
        ("threshold", f"{judged.threshold_text.partition(' ')[2]} ({judged.threshold_source})"),
        ("protocol", f"{judged.protocol.name}: {judged.radius}"),
        ("images", f"{n:,} ({say_number(cases, 'case')})"),
        ("ground truth", judged.truth.source or None),
    ]
    return facts("Detections against ground truth", rows, notes=judged.truth.notes)


def _share(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.3f}" + ("" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]")
