"""What the correction for another share of figures gives, where nobody has labelled anything.

    python benchmarks/prior_shift.py [BUNDLE...] [--case Case_10] [--data FOLDER] [--keep DIR] [--write]

Every field is searched as by `mitoscope detect`. Line, share of figures and threshold (of greatest F1) are
fitted to one laboratory and applied to the other, MiDeSeC and those cases of BreCaHAD that no shipped network
has learnt from (--case), as they are and corrected: each field alone, each case alone, the laboratory as a
whole, and each field with the share of the laboratory expected, as after `bundle calibrate --unlabelled`.
Matching `tupac`, intervals of 95 % by drawing cases (MiDeSeC states no patients: a field is a case there).

- The weights of the expected share (two figures, four where it is that of the laboratory) were chosen by the
  labels of MIDOG++ alone. What others would have given stands in a table of its own, and chose nothing.
- Fields without figures, and fields of which only the candidates of detectors were sorted by eye, show
  whether figures are invented, or lost: they have few candidates and hardly any figures. Bundles may have
  learnt from them, so false detections there are fewer than on other tissue.
- Known shifts: one half of MiDeSeC fits, the other is thinned at random, of figures or of other candidates,
  until figures have a given share. There the assumption holds: figures score like figures.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from machine import stamp
from numpy.typing import NDArray
from PIL import Image
from results_page import write_page

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.data.field import visible_figures
from mitoscope.data.open_data import read_brecahad, read_midesec, read_negative_fields, read_unsorted_fields
from mitoscope.data.picture import Picture
from mitoscope.evaluate import PROTOCOLS, Steps
from mitoscope.infer import DetectConfig, detect_slides
from mitoscope.statistics import (
    LABORATORY_FIGURES,
    PRIOR_FIGURES,
    PriorShift,
    ScoreLine,
    divide,
    estimate_shift,
    fit_line,
)
from mitoscope.train.scoring import THRESHOLDS, Curve

RESULT = Path(__file__).parent / "results" / "prior_shift.md"
MPP: Final = 0.25
PROTOCOL: Final = PROTOCOLS["tupac"]
WEIGHTS: Final = (0.5, 1.0, PRIOR_FIGURES, 4.0, 8.0, 16.0)
SHARES: Final = (0.02, 0.05, 0.1, 0.2, 0.4)
DRAWS: Final = 100
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """The candidates on a field, matched once: what follows keeps their order.

    Parameters
    ----------
    case : str
    name : str
    score : ndarray of float64, shape (n,)
        As the bundle gives them, without a correction.
    true : ndarray of bool, shape (n,)
    steps : Steps
        What they mean at every threshold.
    area_mm2 : float
    """

    case: str
    name: str
    score: Floats
    true: NDArray[np.bool_]
    steps: Steps
    area_mm2: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is fitted to labelled fields."""

    line: ScoreLine
    share: float
    candidates: int
    threshold: float

    @classmethod
    def to(cls, fields: Sequence[Searched]) -> Fitted:
        """Fit line, share and threshold."""
        score, true = _all(fields)
        line = fit_line(score, true)
        moved = [replace(field.steps, score=line(field.steps.score)) for field in fields]
        return cls(line, float(true.mean()), len(true), Curve(tuple(moved)).best().threshold)

    def shift(
        self, fields: Sequence[Searched], *, weight: float = PRIOR_FIGURES, expected: float | None = None
    ) -> PriorShift:
        """Estimate the share of figures on some fields together."""
        return estimate_shift(
            self.line(_all(fields)[0]),
            calibrated=self.share,
            calibrated_on=self.candidates,
            assumed=expected,
            prior_figures=weight,
        )

    def judge(
        self,
        fields: Sequence[Searched],
        group: Callable[[Searched], str] | None = None,
        *,
        weight: float = PRIOR_FIGURES,
        expected: float | None = None,
    ) -> Curve:
        """Return what the fields give at every threshold, group by group corrected; without one as it is."""
        parts: dict[str, list[Searched]] = {}
        for field in fields:
            parts.setdefault("" if group is None else group(field), []).append(field)
        cases: dict[str, list[Steps]] = {}
        for part in parts.values():
            shift = None if group is None else self.shift(part, weight=weight, expected=expected)
            for field in part:
                score = self.line(field.steps.score)
                moved = replace(field.steps, score=score if shift is None else shift(score))
                cases.setdefault(field.case, []).append(moved)
        return Curve(tuple(Steps.total(steps) for steps in cases.values()))

    def ways(self, fields: Sequence[Searched]) -> dict[str, Curve]:
        """Return the curves without a correction and with every kind of it."""
        laboratory = self.shift(fields).estimated
        return {
            "as it is": self.judge(fields),
            "per field": self.judge(fields, lambda field: field.name),
            "per case": self.judge(fields, lambda field: field.case),
            "laboratory": self.judge(fields, lambda _: ""),
            "per field, laboratory expected": self.judge(
                fields, lambda field: field.name, weight=LABORATORY_FIGURES, expected=laboratory
            ),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="*", default=["cascade"])
    parser.add_argument("--case", action="append", help="of BreCaHAD; Case_10 by default")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", type=Path, help="keep pictures and ledgers here, and go on from them")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    cases = {f"BreCaHAD/{case}" for case in options.case or ["Case_10"]}
    pictures = {
        "MiDeSeC": read_midesec(options.data),
        "BreCaHAD": [one for one in read_brecahad(options.data) if one.case in cases],
        "fields without figures": read_negative_fields(options.data),
        "fields not looked through": read_unsorted_fields(options.data),
    }
    lines = [stamp()]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        for bundle in map(load_bundle, options.bundles):
            sets = {name: search(bundle, own, folder / name) for name, own in pictures.items()}
            lines += ["", f"## {bundle.manifest.source}", "", *report(sets)]
    print("\n".join(lines), flush=True)
    if options.write:
        write_page(RESULT, __doc__, lines)


def search(bundle: Bundle, pictures: Sequence[Picture], folder: Path) -> list[Searched]:
    """Search fields as the command does, without a correction."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{place:04d}.png" for place in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        if not path.exists():
            Image.fromarray(picture.rgb).save(path)
    config = DetectConfig(mpp=MPP, prior_shift=False)
    out = folder / bundle.fingerprint[:12]
    searched = []
    for picture, outcome in zip(pictures, detect_slides(paths, bundle, out, config=config), strict=True):
        if outcome.run is None:
            raise SystemExit(f"{outcome.path}: {outcome.error}")
        found = outcome.run.detections
        sweep = PROTOCOL.sweep(found.points_px0, found.score, visible_figures(picture))
        kept = sweep.matching.judged
        searched.append(
            Searched(
                picture.case,
                picture.name,
                sweep.scores[kept],
                sweep.matching.truth_of[kept] >= 0,
                sweep.steps,
                picture.width * picture.height * MPP**2 / 1e6,
            )
        )
    return searched


def report(sets: dict[str, list[Searched]]) -> list[str]:
    """Return the tables of one bundle."""
    midesec, brecahad = sets["MiDeSeC"], sets["BreCaHAD"]
    halves = midesec[::2], midesec[1::2]
    directions = {
        "MiDeSeC → BreCaHAD": (midesec, brecahad),
        "BreCaHAD → MiDeSeC": (brecahad, midesec),
        "MiDeSeC, even → odd fields": halves,
        "MiDeSeC, odd → even fields": halves[::-1],
    }
    fitted = {name: (Fitted.to(own), other) for name, (own, other) in directions.items()}
    empty = {
        f"{name} → {other}": (Fitted.to(sets[name]), sets[other])
        for other in ("fields without figures", "fields not looked through")
        for name in ("MiDeSeC", "BreCaHAD")
    }
    return [
        *_shares({**fitted, **empty}),
        "",
        *_accuracy(fitted),
        "",
        *_errors(empty),
        "",
        *_weights(fitted),
        "",
        *_known_shifts(halves),
    ]


def _shares(rows: dict[str, tuple[Fitted, list[Searched]]]) -> list[str]:
    lines = [
        "Share of figures among the candidates, estimated without a label:",
        "",
        "| Fitted on → applied to | Fields | Candidates | Share where fitted | True share "
        "| By the scores alone | Estimated | By field (median, least to most) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (fit, fields) in rows.items():
        score, true = _all(fields)
        whole = fit.shift(fields)
        each = [fit.shift([field]).estimated for field in fields]
        lines.append(
            f"| {name} | {len(fields)} | {len(score)} | {fit.share:.3f} | {true.mean():.3f} "
            f"| {whole.alone or 0:.3f} | {whole.estimated:.3f} "
            f"| {np.median(each):.3f}, {min(each):.3f} to {max(each):.3f} |"
        )
    return lines


def _accuracy(rows: dict[str, tuple[Fitted, list[Searched]]]) -> list[str]:
    names = list(next(iter(rows.values()))[0].ways(next(iter(rows.values()))[1]))
    lines = [
        "F1 at the threshold of the fields where it was fitted:",
        "",
        f"| Fitted on → applied to | Figures | {' | '.join(names)} | best possible (at) |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    for name, (fit, fields) in rows.items():
        curves = fit.ways(fields)
        plain = curves["as it is"]
        best = plain.best()
        cells = [_f1(curve, fit.threshold) for curve in curves.values()]
        lines.append(
            f"| {name} (threshold {fit.threshold:.2f}) | {plain.pooled.figures} | {' | '.join(cells)} "
            f"| {best.f1:.3f} ({best.threshold:.2f}) |"
        )
    return lines


def _errors(rows: dict[str, tuple[Fitted, list[Searched]]]) -> list[str]:
    names = list(next(iter(rows.values()))[0].ways(next(iter(rows.values()))[1]))
    lines = [
        "Where there are hardly any figures: false detections (per mm²), and known figures that are found:",
        "",
        f"| Fitted on → applied to | mm² | Figures | {' | '.join(names)} |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    for name, (fit, fields) in rows.items():
        area = sum(field.area_mm2 for field in fields)
        cells = []
        for curve in fit.ways(fields).values():
            score = curve.at(fit.threshold).score
            cells.append(f"{score.fp} ({score.fp / area:.2f}); {score.tp} found")
        figures = fit.judge(fields).pooled.figures
        lines.append(f"| {name} | {area:.2f} | {figures} | {' | '.join(cells)} |")
    return lines


def _weights(rows: dict[str, tuple[Fitted, list[Searched]]]) -> list[str]:
    lines = [
        "F1 with each field alone, and with the laboratory as a whole, by the figures in the prior "
        f"({PRIOR_FIGURES:g} is what `detect` takes):",
        "",
        f"| Fitted on → applied to | {' | '.join(f'{weight:g}' for weight in WEIGHTS)} |",
        "|---|" + "---|" * len(WEIGHTS),
    ]
    groups: dict[str, Callable[[Searched], str]] = {
        "per field": lambda field: field.name,
        "laboratory": lambda _: "",
    }
    for name, (fit, fields) in rows.items():
        for group, key in groups.items():
            cells = [fit.judge(fields, key, weight=weight).at(fit.threshold).f1 for weight in WEIGHTS]
            lines.append(f"| {name}, {group} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    return lines


def _known_shifts(halves: tuple[list[Searched], list[Searched]]) -> list[str]:
    lines = [
        f"Known shifts, mean of {DRAWS} draws and both halves (share where fitted: "
        f"{' and '.join(f'{Fitted.to(half).share:.3f}' for half in halves)}):",
        "",
        "| True share | Estimated, alone (sd) | Estimated (sd) | F1 as it is | corrected | best possible |",
        "|---|---|---|---|---|---|",
    ]
    for share in SHARES:
        drawn = np.concatenate(
            [_drawn(Fitted.to(own), other, share) for own, other in (halves, halves[::-1])]
        )
        mean, spread = drawn.mean(axis=0), drawn.std(axis=0)
        lines.append(
            f"| {mean[0]:.3f} | {mean[1]:.3f} ({spread[1]:.3f}) | {mean[2]:.3f} ({spread[2]:.3f}) "
            f"| {mean[3]:.3f} | {mean[4]:.3f} | {mean[5]:.3f} |"
        )
    return lines


def _drawn(fit: Fitted, fields: Sequence[Searched], share: float) -> Floats:
    """Return true share, those estimated, F1 as it is, corrected and best of each draw, shape (draws, 6)."""
    rng = np.random.default_rng(0)
    score, true = _all(fields)
    p = fit.line(score)
    missed = sum(field.steps.figures for field in fields) - int(true.sum())
    odds = share / (1 - share) * (~true).sum() / true.sum()
    keep_figure, keep_other = min(odds, 1.0), min(1 / odds, 1.0)
    rows = []
    for _ in range(DRAWS):
        kept = rng.random(len(p)) < np.where(true, keep_figure, keep_other)
        figures = int(true[kept].sum()) + rng.binomial(missed, keep_figure)
        shift = estimate_shift(p[kept], calibrated=fit.share, calibrated_on=fit.candidates)

        def f1(
            score: Floats, at: Floats, true: NDArray[np.bool_] = true[kept], figures: int = figures
        ) -> Floats:
            found = score[:, None] > at
            tp = (found & true[:, None]).sum(axis=0)
            return np.nan_to_num(divide(2 * tp, found.sum(axis=0) + figures))

        at = np.array([fit.threshold])
        plain, corrected = f1(p[kept], at)[0], f1(shift(p[kept]), at)[0]
        best = f1(p[kept], THRESHOLDS).max()
        rows.append((true[kept].mean(), shift.alone or 0.0, shift.estimated, plain, corrected, best))
    return np.array(rows)


def _all(fields: Sequence[Searched]) -> tuple[Floats, NDArray[np.bool_]]:
    return np.concatenate([one.score for one in fields]), np.concatenate([one.true for one in fields])


def _f1(curve: Curve, threshold: float) -> str:
    ends = curve.intervals(threshold).f1
    return f"{curve.at(threshold).f1:.3f}" + ("" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]")


if __name__ == "__main__":
    main()
