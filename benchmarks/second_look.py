"""How well second looks tell figures among the candidates of a first stage, alone and together.

    python benchmarks/second_look.py [VERIFIER...] [--first cascade] [--floor 0.3] [--case Case_10] [--write]

The first stage of a bundle proposes; its own second stage (shipped) and every verifier (a bundle that scores
crops) score each proposal, mean of the log-odds over four mirror images. Together: the mean of their
log-odds, and with that of the proposal. Sets: MiDeSeC, on which nothing is trained, and BreCaHAD, of which
only the cases given by --case count: those that no network here has learnt from. Matching `tupac`. F1 at the
best threshold there, and at one chosen elsewhere: on the other set, and for MiDeSeC also on its other half
of cases. Intervals of 95 % by drawing cases; a single case has none.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from machine import stamp
from numpy.typing import NDArray
from results_page import write_page

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.bundle.network import open_network, score_windows
from mitoscope.data.field import Field, visible_figures
from mitoscope.data.open_data import read_brecahad, read_midesec
from mitoscope.data.sampling import PROPOSAL
from mitoscope.detections import Detections
from mitoscope.evaluate import PROTOCOLS
from mitoscope.geometry import BoxPx
from mitoscope.statistics import draw_rows, log_odds, percentiles
from mitoscope.train.detect import propose
from mitoscope.train.scoring import Curve, judge
from mitoscope.train.train import BUNDLE_NAME

RESULT = Path(__file__).parent / "results" / "second_look.md"
MPP: Final = 0.25
NEAREST: Final = 1e-4
"""Nearest to 0 and 1, where log-odds would be infinite."""
REPEATS: Final = 200
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verifiers", nargs="*", help="bundles that score crops")
    parser.add_argument("--first", default="cascade", help="bundle whose first stage proposes")
    parser.add_argument("--floor", type=float, default=0.3)
    parser.add_argument("--case", action="append", help="of BreCaHAD; Case_10 by default")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    first = load_bundle(options.first)
    verifiers = {_name(Path(path)): load_bundle(path) for path in options.verifiers}
    cases = {f"BreCaHAD/{case}" for case in options.case or ["Case_10"]}
    sets: dict[str, list[Field]] = {
        "MiDeSeC": [*read_midesec(options.data)],
        "BreCaHAD": [field for field in read_brecahad(options.data) if field.case in cases],
    }
    curves: dict[str, dict[str, Curve]] = {}
    for name, pictures in sets.items():
        fields = propose(pictures, first, floor=options.floor, mpp=MPP)
        for mixture, scores in mixtures(fields, first, verifiers).items():
            curves.setdefault(mixture, {})[name] = curve_of(fields, scores)
    lines = [stamp(), "", *table(curves)]
    print("\n".join(lines), flush=True)
    if options.write:
        write_page(RESULT, __doc__, lines)


def mixtures(
    fields: Sequence[Field], first: Bundle, verifiers: Mapping[str, Bundle]
) -> dict[str, list[Floats]]:
    """Return the score of every proposal on every field by each look and mixture of looks."""
    proposed = [log_odds(_proposals(field)[1], bound=NEAREST) for field in fields]
    looks = {name: looked_at(fields, bundle) for name, bundle in verifiers.items()}
    chosen: dict[str, list[list[Floats]]] = {"proposals": [proposed]}
    if first.manifest.verifier is not None:
        chosen["shipped"] = [looked_at(fields, first)]
    chosen |= {name: [look] for name, look in looks.items()}
    if len(looks) > 1:
        chosen["all verifiers"] = list(looks.values())
    if "shipped" in chosen:
        shipped = chosen["shipped"]
        for name in [name for name in chosen if name not in ("proposals", "shipped")]:
            chosen[f"{name} + shipped"] = [*chosen[name], *shipped]
            chosen[f"{name} + shipped + proposals"] = [*chosen[name], *shipped, proposed]
    return {
        name: [1 / (1 + np.exp(-np.mean(own, axis=0))) for own in zip(*members, strict=True)]
        for name, members in chosen.items()
    }


def looked_at(fields: Sequence[Field], bundle: Bundle) -> list[Floats]:
    """Return the mean log-odds over four mirror images of every proposal on every field."""
    own = bundle.manifest
    if own.verifier is None:
        graph, side, mpp = bundle.onnx, own.window_px, own.mpp
    else:
        graph, side, mpp = bundle.read(own.verifier.files[0]), own.verifier.crop_px, own.verifier.mpp
    if abs(mpp / MPP - 1) > own.mpp_tolerance:
        raise SystemExit(f"{own.source} looks at {mpp:g} µm/px, not at {MPP:g}")
    session = open_network(graph, where=str(bundle.folder))
    looks = []
    for field in fields:
        score = [np.empty(0)]
        for x, y in _proposals(field)[0]:
            box = BoxPx(round(float(x)) - side // 2, round(float(y)) - side // 2, side, side)
            crop = field.window(box, mirror_px=0)
            four = np.stack([crop, crop[::-1], crop[:, ::-1], crop[::-1, ::-1]])
            score.append(log_odds(score_windows(session, four)[:, 0], bound=NEAREST).mean(keepdims=True))
        looks.append(np.concatenate(score))
    return looks


def curve_of(fields: Sequence[Field], scores: Sequence[Floats]) -> Curve:
    """Match the scored proposals with the figures, case by case."""
    found = [Detections.of(_proposals(field)[0], own) for field, own in zip(fields, scores, strict=True)]
    truths = [visible_figures(field) for field in fields]
    return judge(found, truths, PROTOCOLS["tupac"], cases=[field.case for field in fields])


def table(curves: Mapping[str, Mapping[str, Curve]]) -> list[str]:
    """Return a table of all mixtures on all sets."""
    lines = [
        "| Look | Set | Average precision | Best F1 | at | F1, threshold of other set | of other half |",
        "|---|---|---|---|---|---|---|",
    ]
    for mixture, of_set in curves.items():
        for name, curve in of_set.items():
            best = curve.best()
            (other,) = [one for where, one in of_set.items() if where != name]
            elsewhere = _f1(curve, other.best().threshold)
            lines.append(
                f"| {mixture} | {name} | {_precision(curve)} "
                f"| {best.f1:.3f} | {best.threshold:.2f} | {elsewhere} | {_by_halves(curve)} |"
            )
    return lines


def _f1(curve: Curve, threshold: float) -> str:
    ends = curve.intervals(threshold).f1
    return f"{curve.at(threshold).f1:.3f}" + ("" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]")


def _by_halves(curve: Curve) -> str:
    """Return the F1 of each half of the cases at the best threshold of the other."""
    halves = Curve(curve.cases[::2]), Curve(curve.cases[1::2])
    if not halves[1].cases:
        return "–"
    return ", ".join(f"{own.at(other.best().threshold).f1:.3f}" for own, other in (halves, halves[::-1]))


def _precision(curve: Curve) -> str:
    drawn = [
        Curve(tuple(curve.cases[row] for row in rows)).average_precision()
        for rows in draw_rows([str(place) for place in range(len(curve.cases))], repeats=REPEATS)
    ]
    interval = percentiles(np.array(drawn))
    ends = "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{curve.average_precision():.3f}{ends}"


def _name(path: Path) -> str:
    """Return what tells one bundle from others: of a run's, the name of the run."""
    return path.parent.name if path.name == BUNDLE_NAME else path.name


def _proposals(field: Field) -> tuple[Floats, Floats]:
    own = field.labels.take(field.labels.label == PROPOSAL)
    return own.points, own.agreement


if __name__ == "__main__":
    main()
