"""Whether the expected number of figures is the true one, on whole fields of laboratories never trained on.

    python benchmarks/expected_count.py [--model M] [--data FOLDER] [--keep DIR] [--write]

Every field is searched as by `mitoscope detect`. The line that makes probabilities of scores, the share of
figures and the threshold of greatest F1 are fitted to some fields, and others are counted:

- the halves of MiDeSeC, both ways, and MiDeSeC → BreCaHAD's Case_10: no network has learnt from either;
- each case of BreCaHAD by the other two. The networks have learnt from Case_12 and Case_13, so only Case_10
  is a stranger there: what is left out is line and threshold alone.

*Labelled* are all figures, *proposed* those that are candidates: an expected number cannot know of others.
*Counted* are candidates above the threshold. *Expected* is the sum of the probabilities: as they are, and
corrected for the share of figures, each field alone (as `detect` does) or all together. The interval of 95 %
is that of the detector: how many of the candidates are figures. *Fields covered* are those whose proposed
figures lie in the interval of the field, and whose labelled figures do, each field corrected alone; *off* is
the mean absolute difference from the labelled figures of a field, expected and counted. *ECE* is the
calibration error of the line on the fields that it was not fitted to, 10 bins of equal width.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from machine import stamp
from numpy.typing import NDArray
from prior_shift import Fitted, Searched, search
from results_page import write_page

from mitoscope.bundle import load_bundle
from mitoscope.data.open_data import read_brecahad, read_midesec
from mitoscope.statistics import CountDistribution, Interval

RESULT = Path(__file__).parent / "results" / "expected_count.md"
CASES: Final = ("Case_10", "Case_12", "Case_13")
BINS: Final = 10
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cascade")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", type=Path, help="keep pictures and ledgers here, and go on from them")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    bundle = load_bundle(options.model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        midesec = search(bundle, read_midesec(options.data), folder / "MiDeSeC")
        brecahad = search(bundle, read_brecahad(options.data), folder / "BreCaHAD")
    cases = {name: [one for one in brecahad if one.case == f"BreCaHAD/{name}"] for name in CASES}
    directions = {
        "MiDeSeC, even → odd fields": (midesec[::2], midesec[1::2]),
        "MiDeSeC, odd → even fields": (midesec[1::2], midesec[::2]),
        "MiDeSeC → Case_10": (midesec, cases["Case_10"]),
        **{
            f"other cases → {name}": ([one for one in brecahad if one not in own], own)
            for name, own in cases.items()
        },
    }
    lines = [stamp(), "", f"## {bundle.manifest.source}", "", *table(directions)]
    print("\n".join(lines), flush=True)
    if options.write:
        write_page(RESULT, __doc__, lines)


def table(directions: dict[str, tuple[Sequence[Searched], Sequence[Searched]]]) -> list[str]:
    """Return the tables of all directions."""
    numbers = [
        "Of all fields together:",
        "",
        "| Fitted on → counted | mm² | Labelled | Proposed | Counted | Expected as they are "
        "| each field alone | all together | ECE |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    fields = [
        "Field by field:",
        "",
        "| Fitted on → counted | Fields | Covered, proposed | Covered, labelled "
        "| Off, expected | Off, counted |",
        "|---|---|---|---|---|---|",
    ]
    for name, (own, others) in directions.items():
        fit = Fitted.to(own)
        area = sum(field.area_mm2 for field in others)
        plain = [fit.line(field.score) for field in others]
        alone = [fit.shift([field])(score) for field, score in zip(others, plain, strict=True)]
        shift = fit.shift(others)
        together = [shift(score) for score in plain]
        labelled = np.array([field.steps.figures for field in others])
        proposed = np.array([int(field.true.sum()) for field in others])
        counted = np.array([int((score > fit.threshold).sum()) for score in alone])
        found = [CountDistribution.of(score) for score in alone]
        numbers.append(
            f"| {name} | {area:.2f} | {labelled.sum()} | {proposed.sum()} | {counted.sum()} "
            f"| {' | '.join(_expected(scores) for scores in (plain, alone, together))} "
            f"| {_ece(np.concatenate(plain), np.concatenate([field.true for field in others])):.3f} |"
        )
        ends = [one.interval() for one in found]
        off = np.abs(np.array([one.mean for one in found]) - labelled).mean()
        fields.append(
            f"| {name} | {len(others)} | {_covered(ends, proposed)} | {_covered(ends, labelled)} "
            f"| {off:.2f} | {np.abs(counted - labelled).mean():.2f} |"
        )
    return [*numbers, "", *fields]


def _expected(scores: Sequence[Floats]) -> str:
    found = CountDistribution.of(np.concatenate(scores))
    ends = found.interval()
    return f"{found.mean:.1f} [{ends.low:.0f}, {ends.high:.0f}]"


def _covered(ends: Sequence[Interval], numbers: NDArray[np.int64]) -> int:
    return sum(one.low <= number <= one.high for one, number in zip(ends, numbers.tolist(), strict=True))


def _ece(score: Floats, true: NDArray[np.bool_]) -> float:
    place = np.minimum((score * BINS).astype(int), BINS - 1)
    away = [abs(float((score - true)[place == each].sum())) for each in range(BINS)]
    return sum(away) / len(score)


if __name__ == "__main__":
    main()
