"""Detectors as strangers will judge them: whole fields of laboratories that they have not learnt from.

    python benchmarks/strangers.py [BUNDLE...] [--only SET...] [--sheets DIR] [--keep DIR] [--write]

Every field is written as a picture and searched by `detect_slides`, as by the command. Matching `tupac`,
intervals of 95 % by drawing cases.

- MiDeSeC: nothing trains on it, but shipped scores are calibrated and thresholds chosen there, which flatters
  them: so F1 is given at the shipped point, at the best one, at the one of the other half of the fields (both
  ways) and at the one of the other laboratory. Patients are not stated: each field is a case.
- BreCaHAD: only Case_10 is held out by all recipes; other cases (--case) are training data of most bundles. A
  single case has no interval.
- Fields without figures and fields that were not looked through: false positives per mm². Recipes hold out
  every 9th case of what they train on (--every-nth); a source that the manifest does not name is unseen.
  Where the candidates of earlier detectors were sorted by eye, figures are figures, what nobody could name is
  left out, and look-alikes have their kind; elsewhere a false positive may be a figure that nobody labelled.
- MiDeSeC resampled to other resolutions, and in other stains (amounts of haematoxylin and eosin changed).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import numpy as np
from contact_sheet import Place, write_sheets
from machine import stamp
from PIL import Image
from results_page import write_page
from stranger_sets import (
    FIELD_SOURCES,
    MPP,
    SCALES,
    STAINS,
    Shown,
    at_scale,
    brecahad,
    fields,
    halves,
    midesec,
    never_trained_on,
    restained,
)

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.detections import Detections
from mitoscope.evaluate import (
    PROTOCOLS,
    Evaluation,
    Measure,
    StratumScore,
    choose_threshold,
    count_errors,
    evaluate,
    kinds_of_false,
    score_strata,
)
from mitoscope.fsio import safe_name
from mitoscope.infer import DetectConfig, ListedSlide, detect_slides
from mitoscope.progress import progress
from mitoscope.statistics import Interval, Score, bootstrap
from mitoscope.truth import GroundTruth

RESULT = Path(__file__).parent / "results" / "strangers.md"
PROTOCOL: Final = PROTOCOLS["tupac"]
SETS: Final = ("midesec", "brecahad", "fields", "scales", "stains")
MIDESEC, BRECAHAD = "MiDeSeC", "BreCaHAD"


def main() -> None:
    """Search, judge, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="*", default=["cascade"], help="names or folders; cascade if none")
    parser.add_argument("--only", choices=SETS, nargs="+", default=SETS, help="of the sets")
    parser.add_argument("--case", action="append", help="of BreCaHAD; Case_10 by default")
    parser.add_argument("--every-nth", type=int, default=9, help="case that the recipes hold out")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--no-prior-shift", action="store_true", help="leave scores as they are whatever the share of figures"
    )
    parser.add_argument("--keep", type=Path, help="folder of the results; the next run goes on with them")
    parser.add_argument("--sheets", type=Path, help="write what is false and what is missed as pictures")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    bundles = load_bundles(options.bundles)
    shown = gather(options.data, options.only, options.case or ["Case_10"])
    config = DetectConfig(mpp=MPP, threads=options.threads, prior_shift=not options.no_prior_shift)
    with kept(options.keep) as folder:
        write_pictures(shown.every, folder / "fields")
        found = search(bundles, shown.every, folder, config)
    judged = {name: Judged(bundles[name], shown, found[name]) for name in bundles}
    unseen = frozenset.intersection(
        *(never_trained_on(options.data, one, every_nth=options.every_nth) for one in bundles.values())
    )
    corrects = "as they are" if options.no_prior_shift else "corrected for the share of figures where stated"
    lines = [f"{stamp()}; scores {corrects}", "", *tables(judged, shown, unseen)]
    print("\n".join(lines), flush=True)
    if options.sheets is not None:
        for name, one in judged.items():
            for path in sheets(one, shown, options.sheets / safe_name(name)):
                print(path)
    if options.write:
        write_page(RESULT, __doc__, lines)


def load_bundles(paths: Sequence[str]) -> dict[str, Bundle]:
    """Load bundles by name and version; where two have the same, the folder tells them apart."""
    loaded = {path: load_bundle(path) for path in paths}
    sources = [bundle.manifest.source for bundle in loaded.values()]
    return {
        source if sources.count(source) == 1 else f"{source} ({Path(path).name})": bundle
        for source, (path, bundle) in zip(sources, loaded.items(), strict=True)
    }


@dataclass(frozen=True)
class Gathered:
    """All sets of fields.

    Attributes
    ----------
    sets : dict of str to list of Shown
        Name of the set → its fields.
    strata : dict of str to dict
        Name of a set → name of the field → its stratum.
    """

    sets: dict[str, list[Shown]]
    strata: dict[str, dict[str, str]]

    @cached_property
    def every(self) -> dict[str, Shown]:
        """Each field once, by its name."""
        return {one.name: one for some in self.sets.values() for one in some}


def gather(data: Path, wanted: Sequence[str], cases: Sequence[str]) -> Gathered:
    """Read the sets that are asked for."""
    sets: dict[str, list[Shown]] = {}
    strata: dict[str, dict[str, str]] = {}
    plain = midesec(data) if {"midesec", "scales", "stains"} & set(wanted) else []
    if "midesec" in wanted:
        sets[MIDESEC] = plain
    if "brecahad" in wanted:
        sets[BRECAHAD] = brecahad(data, cases)
        strata[BRECAHAD] = {one.name: one.truth.case for one in sets[BRECAHAD]}
    if "fields" in wanted:
        sets["fields"] = fields(data)
        strata["fields"] = {one.name: FIELD_SOURCES[one.source] for one in sets["fields"]}
    changes: dict[str, dict[str, Callable[[Shown], Shown]]] = {
        "scales": {f"{mpp:.2f} µm/px": partial(at_scale, mpp=mpp) for mpp in SCALES},
        "stains": {stain: partial(restained, stain=stain) for stain in STAINS},
    }
    for name, changed in changes.items():
        if name in wanted:
            copies = [(stratum, change(one)) for stratum, change in changed.items() for one in plain]
            sets[name] = [copy for _, copy in copies]
            strata[name] = {copy.name: stratum for stratum, copy in copies}
    return Gathered(sets, strata)


@contextmanager
def kept(folder: Path | None) -> Iterator[Path]:
    """Give the folder of the results, or one that is gone afterwards."""
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def write_pictures(shown: Mapping[str, Shown], folder: Path) -> None:
    """Write the fields as pictures."""
    folder.mkdir(exist_ok=True)
    for name, one in shown.items():
        path = folder / f"{name}.png"
        if not path.exists():
            Image.fromarray(one.rgb).save(path, compress_level=1)


def search(
    bundles: Mapping[str, Bundle], shown: Mapping[str, Shown], folder: Path, config: DetectConfig
) -> dict[str, dict[str, Detections]]:
    """Return all candidates by bundle and field."""
    listed = [ListedSlide(folder / "fields" / f"{name}.png", one.mpp) for name, one in shown.items()]
    total = len(bundles) * sum(one.area_mm2 for one in shown.values())
    found: dict[str, dict[str, Detections]] = {}
    done = 0.0
    with progress("strangers", unit="mm²", verb="searched") as report:
        report(done, total)
        for bundle_name, bundle in bundles.items():
            own = found.setdefault(bundle_name, {})
            out = folder / bundle.fingerprint[:16]
            for name, outcome in zip(shown, detect_slides(listed, bundle, out, config=config), strict=True):
                if outcome.run is None:
                    raise SystemExit(f"{outcome.path}: {outcome.error}")
                own[name] = outcome.run.detections
                done += shown[name].area_mm2
                report(done, total)
    return found


@dataclass(frozen=True, eq=False)
class Judged:
    """A bundle on all sets."""

    bundle: Bundle
    shown: Gathered
    found: Mapping[str, Detections]

    @cached_property
    def sets(self) -> dict[str, Evaluation]:
        """The evaluation of each set at the thresholds that the results state."""
        return {
            name: evaluate(
                {one.name: self.found[one.name] for one in some},
                GroundTruth(tuple(one.truth for one in some), source=name),
                protocol=PROTOCOL,
            )
            for name, some in self.shown.sets.items()
        }

    def strata(self, name: str) -> tuple[StratumScore, ...]:
        """Return the strata of a set in the order in which they were made."""
        stratum_of = self.shown.strata[name]
        card = score_strata(self.sets[name], stratum_of)
        order = list(dict.fromkeys(stratum_of.values()))
        return tuple(sorted(card.strata, key=lambda one: order.index(one.name)))


def on_other_half(judged: Evaluation, parts: tuple[list[str], list[str]]) -> Measure:
    """Return the F1 with the threshold chosen on the other half of the cases, both ways pooled."""
    scores: list[Score] = []
    for own, other in (parts, parts[::-1]):
        chosen = choose_threshold(judged.on(other).total_steps)
        scores += judged.on(own).at(chosen).case_scores.values()
    return Measure(Score.total(scores).f1, bootstrap(scores).f1)


def on_other_set(judged: Evaluation, other: Evaluation | None) -> Measure:
    """Return the F1 with the threshold chosen on another set."""
    if other is None:
        return Measure(None)
    return f1_of(judged.at(choose_threshold(other.total_steps)))


def f1_of(judged: Evaluation) -> Measure:
    """Return the F1 at the threshold of an evaluation."""
    return Measure(judged.score.f1, judged.intervals.f1)


def tables(judged: Mapping[str, Judged], shown: Gathered, unseen: frozenset[str]) -> list[str]:
    """Return everything as Markdown."""
    lines = [_scores_of(name, one.bundle) for name, one in judged.items()]
    for name, other in ((MIDESEC, BRECAHAD), (BRECAHAD, MIDESEC)):
        if name in shown.sets:
            lines += ["", *_laboratory(judged, shown, name, other)]
    if len(set(shown.strata.get(BRECAHAD, {}).values())) > 1:
        lines += ["", "## BreCaHAD by case", "", *_strata(judged, BRECAHAD)]
    if "fields" in shown.sets:
        lines += ["", *_negatives(judged, shown, unseen)]
    for name, title in (("scales", "MiDeSeC at other resolutions"), ("stains", "MiDeSeC in other stains")):
        if name in shown.sets:
            lines += ["", f"## {title}", "", *_strata(judged, name)]
    for name in (MIDESEC, BRECAHAD, "fields"):
        if name in shown.sets:
            lines += ["", f"## {name}: errors by kind", "", *_kinds(judged, name)]
    return lines


def _scores_of(name: str, bundle: Bundle) -> str:
    manifest = bundle.manifest
    fitted = manifest.calibration
    scores = "scores are not calibrated"
    if fitted is not None:
        share = "" if fitted.figures is None else f" ({fitted.figures.share:.3f} of the candidates figures)"
        scores = f"scores calibrated on {fitted.fitted_on}{share}"
    return f"- {name}: {manifest.point().describe()}, threshold {manifest.default_threshold:.3f}; {scores}"


def _laboratory(judged: Mapping[str, Judged], shown: Gathered, name: str, other: str) -> list[str]:
    some = shown.sets[name]
    cases = len({one.truth.case for one in some})
    figures = sum(int(one.truth.cells.is_figure.sum()) for one in some)
    area = sum(one.area_mm2 for one in some)
    lines = [
        f"## {name}",
        "",
        f"{len(some)} fields of {cases} case{'' if cases == 1 else 's'}, {area:.2f} mm², {figures} figures.",
        "",
        "| Bundle | True, false, missed | F1 as shipped | F1 at best | F1, other half | F1, other laboratory "
        "| AP | Recall at 1, 2, 5 false/mm² | Recall of all candidates (per mm²) | ECE |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for bundle_name, one in judged.items():
        found = one.sets[name]
        best = found.at(choose_threshold(found.total_steps, chosen_on="test set"))
        by_half = on_other_half(found, halves(some)) if cases > 1 else Measure(None)
        candidates = found.total_steps.at(-np.inf)
        per_mm2 = (candidates.tp + candidates.fp) / area
        cells = [
            bundle_name,
            f"{found.score.tp}, {found.score.fp}, {found.score.fn}",
            _cell(f1_of(found)),
            f"{_cell(f1_of(best))} at {best.threshold:.2f}",
            _cell(by_half),
            _cell(on_other_set(found, one.sets.get(other))),
            _cell(Measure(found.average_precision, found.average_precision_interval)),
            "; ".join(_cell(Measure(at.value, at.interval)) for at in found.recall_at_rates),
            f"{candidates.recall or 0:.3f} ({per_mm2:.0f})",
            f"{found.reliability().ece or 0:.3f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_points(judged, name)]
    first, *others = judged.items()
    for bundle_name, one in others:
        compared = one.sets[name].compare(first[1].sets[name])
        for what, difference in (("F1 as shipped", compared.f1), ("AP", compared.average_precision)):
            p = "" if difference.p is None else f", p {difference.p:.3f}"
            value = _signed(difference.value, difference.interval)
            lines += ["", f"{bundle_name} minus {first[0]}, {what}: {value}{p}"]
    return lines


def _points(judged: Mapping[str, Judged], name: str) -> list[str]:
    """Return what each named operating point of the bundles gives; what it was chosen on stands beside it."""
    lines = [
        "| Bundle | Point | Threshold | Chosen on | F1 | Precision | Recall | False/mm² |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for bundle_name, one in judged.items():
        for point in one.bundle.manifest.points:
            found = one.sets[name].at(point.threshold)
            (stratum,) = score_strata(found, dict.fromkeys(found.judged_images, name)).strata
            measures = ("f1", "precision", "recall", "false_per_mm2")
            cells = " | ".join(_cell(stratum.measures[measure]) for measure in measures)
            lines.append(
                f"| {bundle_name} | {point.name} | {point.threshold:.3f} | {point.chosen_on} | {cells} |"
            )
    return lines


COLUMNS: Final = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "average_precision": "AP",
    "recall_at_2_false_per_mm2": "recall at 2 false/mm²",
    "false_per_mm2": "false/mm²",
    "missed_per_mm2": "missed/mm²",
    "calibration_error": "ECE",
}


def _strata(judged: Mapping[str, Judged], name: str) -> list[str]:
    lines = [
        f"| Stratum | Bundle | Fields, figures | {' | '.join(COLUMNS.values())} |",
        f"|---|---|---|{'---|' * len(COLUMNS)}",
    ]
    strata = {bundle_name: one.strata(name) for bundle_name, one in judged.items()}
    for same in zip(*strata.values(), strict=True):
        for bundle_name, stratum in zip(strata, same, strict=True):
            cells = " | ".join(_cell(stratum.measures[column]) for column in COLUMNS)
            sizes = f"{stratum.images}, {stratum.figures}"
            lines.append(f"| {stratum.name} | {bundle_name} | {sizes} | {cells} |")
    return lines


def _negatives(judged: Mapping[str, Judged], shown: Gathered, unseen: frozenset[str]) -> list[str]:
    lines = [
        "## Fields without figures, and fields that were not looked through",
        "",
        "| Fields | Bundle | Number, mm² | False/mm² as shipped | of these on sorted look-alikes |",
        "|---|---|---|---|---|",
    ]
    source_of = shown.strata["fields"]
    for source in FIELD_SOURCES.values():
        own = {name for name, one in source_of.items() if one == source}
        for title, names in (("never trained on", own & unseen), ("all", own)):
            for bundle_name, one in judged.items() if names else ():
                part = one.sets["fields"].on(names)
                (stratum,) = score_strata(part, dict.fromkeys(names, title)).strata
                table = count_errors(part)
                known = sum(row.false for row in table.false if row.cells is not None)
                lines.append(
                    f"| {source}, {title} | {bundle_name} | {len(names)}, {stratum.area_mm2:.2f} "
                    f"| {_cell(stratum.measures['false_per_mm2'])} | {known} of {part.score.fp} |"
                )
    return lines


def _kinds(judged: Mapping[str, Judged], name: str) -> list[str]:
    errors = {bundle_name: count_errors(one.sets[name]) for bundle_name, one in judged.items()}
    head = " | ".join(errors)
    lines = [f"| False positives on | Cells | {head} |", f"|---|---|{'---|' * len(errors)}"]
    kinds = list(dict.fromkeys(row.kind for table in errors.values() for row in table.false))
    for kind in kinds:
        rows = [{row.kind: row for row in table.false}.get(kind) for table in errors.values()]
        cells = next((row.cells for row in rows if row is not None and row.cells is not None), None)
        counts = " | ".join("0" if row is None else str(row.false) for row in rows)
        lines.append(f"| {kind} | {'–' if cells is None else cells} | {counts} |")
    lines += ["", f"| Figures | Number | {head} |", f"|---|---|{'---|' * len(errors)}"]
    first = next(iter(errors.values()))
    for place, row in enumerate((*first.missed_by_class, *first.missed_by_size)):
        same = [(*table.missed_by_class, *table.missed_by_size)[place] for table in errors.values()]
        counts = " | ".join(
            f"{one.found} found, {one.below_threshold} below the threshold, {one.no_candidate} no candidate"
            for one in same
        )
        lines.append(f"| {row.kind} | {row.figures} | {counts} |")
    return lines


def _cell(measure: Measure) -> str:
    if measure.value is None:
        return "–"
    ends = "" if measure.interval is None else f" [{measure.interval.low:.2f}, {measure.interval.high:.2f}]"
    return f"{measure.value:.3f}{ends}"


def _signed(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "–"
    return f"{value:+.3f}" + ("" if interval is None else f" [{interval.low:+.3f}, {interval.high:+.3f}]")


def sheets(judged: Judged, shown: Gathered, folder: Path) -> list[Path]:
    """Write sheets of what is false, most certain first, and of what was missed, of the sets as they are."""
    paths = []
    for name in (MIDESEC, BRECAHAD, "fields"):
        if name not in shown.sets:
            continue
        false, missed = [], []
        for one in shown.sets[name]:
            part = judged.sets[name].on([one.name])
            false += _false_places(part, one)
            missed += _missed_places(part, one)
        for kind, places in (("false", false), ("missed", missed)):
            ordered = [place for _, place in sorted(places, key=lambda pair: -pair[0])]
            paths += write_sheets(ordered, folder, f"{name.casefold()}-{kind}")
    return paths


def _false_places(judged: Evaluation, shown: Shown) -> list[tuple[float, Place]]:
    image, threshold = judged.judged_images[shown.name], judged.thresholds[shown.name]
    found = image.candidates.above(threshold)
    found = found.take(image.sweep.at(threshold).truth_of == -1)
    cells = image.cells.take(~image.cells.is_figure)
    kinds = kinds_of_false(image, threshold, [cells], PROTOCOL)
    rows = zip(found.points_px0.tolist(), found.score.tolist(), kinds.tolist(), strict=True)
    return [
        (score, Place(shown.rgb, x, y, shown.mpp, f"{score:.2f} {kind}\n{shown.name}"))
        for (x, y), score, kind in rows
    ]


def _missed_places(judged: Evaluation, shown: Shown) -> list[tuple[float, Place]]:
    image, threshold = judged.judged_images[shown.name], judged.thresholds[shown.name]
    missed = image.sweep.at(threshold).detection_of == -1
    best = image.sweep.matching.detection_of[missed]
    places = []
    for (x, y), one in zip(image.cells.figures_px0[missed].tolist(), best.tolist(), strict=True):
        score = -1.0 if one < 0 else float(image.candidates.score[one])
        said = "no candidate" if one < 0 else f"scored {score:.2f}"
        places.append((score, Place(shown.rgb, x, y, shown.mpp, f"{said}\n{shown.name}")))
    return places


if __name__ == "__main__":
    main()
