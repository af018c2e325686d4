"""The public form of a comparison: one JSON document of a stated version, fit to run a challenge on.

`Scoreboard` is the schema (``docs/schemas/comparison-1.schema.json``), and what reads and writes it. Within
a version fields are added, never renamed or given another meaning; readers leave unknown ones alone.
"""

from __future__ import annotations

import math
from importlib import metadata
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from mitoscope.evaluate.comparison import Difference
from mitoscope.evaluate.contest import Contest, Entry, Pair
from mitoscope.evaluate.counts import CountAgreement
from mitoscope.evaluate.curves import FALSE_PER_IMAGE, free_response, froc, midog_froc_auc
from mitoscope.evaluate.scorecard import Measure, StratumScore
from mitoscope.geometry import BoxPx0
from mitoscope.statistics import Estimate, Reliability

FORMAT: Final = "mitoscope-comparison/1"
NO_CHOICE: Final = "no image with figures is larger than the window"
CURVE_POINTS: Final = 200
"""Points of a curve that are kept at most: evenly by their place, the first and the last among them."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Ends = Annotated[tuple[float, float], Field(description="95 % interval by drawing cases: lower, upper end")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Value(_Part):
    """A number with its 95 % interval by case; without a number, why there is none."""

    value: float | None
    interval_95: Ends | None = None
    absent_because: str | None = None


class PairedDifference(_Part):
    """First minus second detector, over the same draws of the same cases."""

    difference: float | None
    interval_95: Ends | None = None
    p: Share | None = Field(None, description="two-sided, of the bootstrap; none with a single case")


class Threshold(_Part):
    """Scores strictly above it count."""

    value: float | None = Field(description="none where images have different ones")
    source: str = Field(description="who chose it, and on what")


class Scores(_Part):
    """Hits and measures over some images."""

    images: Count
    cases: Count
    examined_mm2: float | None
    figures: Count
    tp: Count
    fp: Count
    fn: Count
    measures: dict[str, Value] = Field(
        description="precision, recall, f1, average_precision, false_per_mm2, missed_per_mm2, "
        "recall_at_1_false_per_mm2 (2, 5), figures_per_mm2, share_of_figures, "
        "precision_at_common_prevalence, f1_at_common_prevalence, calibration_error, brier_score"
    )


class StrataScores(_Part):
    """Measures of each stratum of the images, or of regions of them."""

    by: str
    strata: dict[str, Scores]


class FreeResponse(_Part):
    """Recall over false positives, from high to low scores; at most 200 points."""

    false_per_mm2: list[float] | None = Field(description="none where the examined area is not known")
    false_per_image: list[float]
    recall: list[float]
    mean_recall: float | None = Field(description="at 1/4, 1/2, 1, 2, 4, 8 false positives per image")
    midog25_auc: float | None = Field(description="area as in MIDOG 2025, at most 8")


class ReliabilityBin(_Part):
    """Candidates with a score in (low, high]."""

    low: float
    high: float
    n: Count
    mean_score: float | None
    true_share: float | None


class Calibration(_Part):
    """How far scores are probabilities, over all candidates."""

    probabilities: bool | None = Field(description="what the results state")
    expected_error: float | None = Field(description="of the scores as they are, stated or not")
    bins: list[ReliabilityBin]


class CountScores(_Part):
    """Found against true figures in the hot spot of each image."""

    area_mm2: float = Field(description="of the window that was asked for")
    images: Count
    bias: Value = Field(description="found minus true, the mean (Bland and Altman)")
    limits_of_agreement: tuple[Value, Value] = Field(description="bias ± 1.96 standard deviations")
    absolute_error: Value
    icc: Value = Field(description="ICC(2,1): two-way random, absolute agreement, single counts")
    hot_spots: Count = Field(description="images on which the windows could lie differently, with figures")
    hot_spot_overlap: Value = Field(description="intersection over union with the window of the ground truth")
    hot_spot_share: Value = Field(description="true figures in the window over those in the fullest one")
    refused: dict[str, str] = Field(description="image → why it is not counted")


class CostScores(_Part):
    """Speed and memory."""

    tissue_mm2: float
    seconds: float
    seconds_per_mm2: float | None
    images: Count = Field(description="of how many images it is known")
    threads: int | None
    peak_mb: float | None
    measured: Literal["in this comparison", "stated by the results"]


class FoundAloneCounts(_Part):
    """What only this detector found."""

    true: Count
    false: Count


class ImageScores(_Part):
    """One image of one detector."""

    tp: Count
    fp: Count
    fn: Count
    threshold: float
    count: int | None = Field(None, description="figures in the detector's hot spot")
    hot_spot_px0: tuple[float, float, float, float] | None = Field(None, description="x, y, width, height")


class EntryScores(_Part):
    """One detector."""

    name: str
    rank: int
    kind: Literal["bundle", "results"]
    detector: str | None
    version: str | None
    fingerprint: str | None = Field(description="SHA-256 of the bundle's manifest")
    licence: str | None
    threshold: Threshold
    overall: Scores
    strata: list[StrataScores]
    free_response: FreeResponse
    calibration: Calibration
    counts: CountScores
    cost: CostScores | None
    found_alone: FoundAloneCounts
    per_image: dict[str, ImageScores]


class PairScores(_Part):
    """Two detectors."""

    first: str
    second: str
    cases: Count
    differences: dict[str, PairedDifference]


class JudgedImageFacts(_Part):
    """What is known of one judged image."""

    case: str
    figures: Count
    examined_mm2: float | None
    mpp: float | None
    true_count: int | None = Field(None, description="figures in the hot spot of the ground truth")
    strata: dict[str, str] = Field(description="way to part the images → stratum")


class GroundTruthFacts(_Part):
    """What everything is judged against."""

    source: str
    policy: str | None
    labels: dict[str, str]
    notes: list[str]


class ProtocolFacts(_Part):
    """The rule by which detections are matched."""

    name: str
    source: str
    radius: str


class Scoreboard(_Part):
    """A comparison of detectors on the same images."""

    format: Literal["mitoscope-comparison/1"] = FORMAT
    mitoscope: str
    protocol: ProtocolFacts
    ground_truth: GroundTruthFacts
    images: dict[str, JudgedImageFacts] = Field(description="every judged image, by the stem of its name")
    cases: Count
    figures: Count
    not_searched: dict[str, list[str]] = Field(description="image → the detectors that did not search it")
    missing: Literal["leave-out", "miss", "refuse"] = Field(
        description="what became of them: judged for none, or all of their figures missed"
    )
    without_truth: dict[str, list[str]] = Field(description="image → the detectors that searched it")
    rank_by: str
    entries: list[EntryScores] = Field(description="by rank")
    pairs: list[PairScores]
    missed_by_all: Count
    bootstrap: dict[str, int] = Field(description="repeats and seed")
    notes: list[str]

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema, as it stands in the documents."""
        made = cls.model_json_schema(mode="serialization")
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def scoreboard_of(contest: Contest, *, missing: str = "leave-out") -> Scoreboard:
    """Return a comparison in its public form."""
    first = contest.entries[0].judged
    ranks = contest.ranks
    ranked = sorted(contest.entries, key=lambda entry: ranks[entry.name])
    return Scoreboard(
        mitoscope=metadata.version("mitoscope"),
        protocol=ProtocolFacts(
            name=contest.protocol.name, source=contest.protocol.source, radius=first.radius
        ),
        ground_truth=GroundTruthFacts(
            source=str(contest.truth.source),
            policy=None if contest.truth.policy is None else str(contest.truth.policy),
            labels=dict(contest.truth.label_names),
            notes=list(contest.truth.notes),
        ),
        images=_images(contest),
        cases=contest.cases,
        figures=first.total_steps.figures,
        not_searched={image: list(names) for image, names in contest.slides.not_searched.items()},
        missing=missing,  # type: ignore[arg-type]
        without_truth={image: list(names) for image, names in contest.slides.without_truth.items()},
        rank_by=contest.rank_by,
        entries=[_entry(contest, entry) for entry in ranked],
        pairs=[_pair(pair) for pair in contest.pairs],
        missed_by_all=len(contest.missed),
        bootstrap={"repeats": first.repeats, "seed": first.seed},
        notes=list(contest.notes),
    )


def _images(contest: Contest) -> dict[str, JudgedImageFacts]:
    counted = {image: one.true for counts in contest.counts.values() for image, one in counts.images.items()}
    strata = {
        part.by: {
            image: stratum.name
            for stratum in next(iter(part.cards.values())).strata
            for image in stratum.judged.judged_images
        }
        for part in contest.strata
        if not part.of_regions
    }
    judged = contest.entries[0].judged.judged_images
    return {
        image: JudgedImageFacts(
            case=one.case,
            figures=len(one.cells.figures_px0),
            examined_mm2=one.examined_mm2,
            mpp=None if one.mpp is None else one.mpp.mean,
            true_count=counted.get(image),
            strata={by: of[image] for by, of in strata.items() if image in of},
        )
        for image, one in judged.items()
    }


def _entry(contest: Contest, entry: Entry) -> EntryScores:
    judged, alone = entry.judged, contest.alone[entry.name]
    counts = contest.counts[entry.name]
    return EntryScores(
        name=entry.name,
        rank=contest.ranks[entry.name],
        kind=entry.kind,
        detector=entry.detector,
        version=entry.version,
        fingerprint=entry.fingerprint,
        licence=entry.licence,
        threshold=Threshold(value=judged.threshold, source=entry.threshold_text),
        overall=_scores(contest.scores[entry.name]),
        strata=[
            StrataScores(
                by=part.by,
                strata={stratum.name: _scores(stratum) for stratum in part.cards[entry.name].strata},
            )
            for part in contest.strata
        ],
        free_response=_free_response(entry),
        calibration=_calibration(entry),
        counts=_counts(counts),
        cost=_cost(entry),
        found_alone=FoundAloneCounts(true=len(alone.true), false=len(alone.false)),
        per_image={
            image: ImageScores(
                tp=score.tp,
                fp=score.fp,
                fn=score.fn,
                threshold=judged.thresholds[image],
                count=None if image not in counts.images else counts.images[image].found,
                hot_spot_px0=None if image not in counts.images else _box(counts.images[image].box_px0),
            )
            for image, score in judged.images.items()
        },
    )


def _scores(score: StratumScore) -> Scores:
    hits = score.judged.score
    return Scores(
        images=score.images,
        cases=score.cases,
        examined_mm2=score.area_mm2,
        figures=score.figures,
        tp=hits.tp,
        fp=hits.fp,
        fn=hits.fn,
        measures={name: _value(measure) for name, measure in score.measures.items()},
    )


def _value(measure: Measure) -> Value:
    ends = measure.interval
    return Value(
        value=measure.value,
        interval_95=None if ends is None else (ends.low, ends.high),
        absent_because=measure.absent_because,
    )


def value_of(found: Estimate | None, *, absent: str) -> Value:
    """Return an estimate as a value; where it is not defined, why."""
    if found is None or math.isnan(found.value):
        return Value(value=None, absent_because=absent)
    known = not (math.isnan(found.low) or math.isnan(found.high))
    return Value(value=found.value, interval_95=(found.low, found.high) if known else None)


def _free_response(entry: Entry) -> FreeResponse:
    judged = entry.judged
    steps, images = judged.total_steps, len(judged.images)
    curve = froc(steps, images=images)
    n = len(curve.recall) if steps.figures else 0
    kept = sorted({round(place * (n - 1) / (CURVE_POINTS - 1)) for place in range(CURVE_POINTS)}) if n else []
    area = None if judged.no_area else judged.examined_mm2
    per_mm2 = None if not area else free_response(steps, area_mm2=area).false_rate
    return FreeResponse(
        false_per_mm2=None if per_mm2 is None else [float(per_mm2[row]) for row in kept],
        false_per_image=[float(curve.false_rate[row]) for row in kept],
        recall=[float(curve.recall[row]) for row in kept],
        mean_recall=curve.mean_recall(FALSE_PER_IMAGE) if steps.figures else None,
        midog25_auc=midog_froc_auc(steps, images=images),
    )


def _calibration(entry: Entry) -> Calibration:
    curve: Reliability = entry.judged.reliability()
    rows = zip(curve.edges[:-1], curve.edges[1:], curve.n, curve.mean_score, curve.true_share, strict=True)
    return Calibration(
        probabilities=entry.judged.probabilities,
        expected_error=curve.ece,
        bins=[
            ReliabilityBin(
                low=float(low),
                high=float(high),
                n=int(n),
                mean_score=None if not n else float(mean),
                true_share=None if not n else float(true),
            )
            for low, high, n, mean, true in rows
        ],
    )


def _counts(counts: CountAgreement) -> CountScores:
    none = next(iter(counts.refused.values()), "no image is counted")
    agreed = counts.bland_altman
    return CountScores(
        area_mm2=counts.area_mm2,
        images=len(counts.images),
        bias=value_of(None if agreed is None else agreed.bias, absent=none),
        limits_of_agreement=(
            value_of(None if agreed is None else agreed.lower, absent="a single image"),
            value_of(None if agreed is None else agreed.upper, absent="a single image"),
        ),
        absolute_error=value_of(None if agreed is None else agreed.absolute, absent=none),
        icc=value_of(counts.icc, absent="fewer than two images, or all counts are the same"),
        hot_spots=counts.hot_spots,
        hot_spot_overlap=value_of(counts.hot_spot_overlap, absent=NO_CHOICE),
        hot_spot_share=value_of(counts.hot_spot_share, absent=NO_CHOICE),
        refused=counts.refused,
    )


def _cost(entry: Entry) -> CostScores | None:
    cost = entry.cost
    if cost is None:
        return None
    return CostScores(
        tissue_mm2=cost.tissue_mm2,
        seconds=cost.seconds,
        seconds_per_mm2=cost.seconds_per_mm2,
        images=cost.images,
        threads=cost.threads,
        peak_mb=cost.peak_mb,
        measured="in this comparison" if cost.searched_here else "stated by the results",
    )


def _pair(pair: Pair) -> PairScores:
    return PairScores(
        first=pair.first,
        second=pair.second,
        cases=pair.cases,
        differences={name: _difference(one) for name, one in pair.differences.items()},
    )


def _difference(found: Difference) -> PairedDifference:
    ends = found.interval
    return PairedDifference(
        difference=found.value, interval_95=None if ends is None else (ends.low, ends.high), p=found.p
    )


def _box(box: BoxPx0) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height
