"""What a threshold from few fields gives, alone and drawn towards that of the bundle.

    python benchmarks/few_fields.py [--model M] [--data ../shared/data] [--cache FOLDER] [--write]

The detector searches MiDeSeC once. 3, 5, 10 and 20 of its 35 fields are drawn 400 times; a threshold of
greatest F1 is chosen on them, alone and drawn towards a prior (`mitoscope bundle calibrate`, `--weight`), and
judged by the F1 of the fields that were not drawn; matching `tupac`. Priors: the point of the bundle, which
was itself chosen on MiDeSeC where the bundle says so, and then flatters; the threshold of greatest F1 on
BreCaHAD, on which the networks were trained; and two that are wrong by 1.7 in log-odds to either side, as far
as a laboratory with another scanner has been seen to lie. The weight of the prior is the default, which was
not chosen on these fields. Of each 400 F1 the mean and, in brackets, what nineteen in twenty exceed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from machine import stamp
from numpy.typing import NDArray
from PIL import Image
from results_page import write_page
from scipy.special import expit, logit

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.data.field import Field, visible_figures
from mitoscope.data.open_data import read_brecahad, read_midesec
from mitoscope.errors import FormatError
from mitoscope.evaluate import PRIOR_FIGURES, PROTOCOLS, Prior, Steps, fit_point
from mitoscope.exchange import read_any_predictions
from mitoscope.geometry import BoxPx
from mitoscope.infer import DetectConfig, detect_slides
from mitoscope.report import write_outputs

RESULT: Final = Path(__file__).parent / "results" / "few_fields.md"
MPP: Final = 0.25
SIZES: Final = (3, 5, 10, 20)
DRAWS: Final = 400
WRONG: Final = 1.7
"""In log-odds."""
PROTOCOL: Final = PROTOCOLS["tupac"]
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="name or folder of a bundle; by default the shipped one")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--cache", type=Path, help="folder of the results; what is there is not searched again"
    )
    parser.add_argument("--threads", type=int)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    bundle = load_bundle(options.model) if options.model else load_bundle()
    config = DetectConfig(mpp=MPP, threads=options.threads)
    with tempfile.TemporaryDirectory() as made:
        folder = options.cache or Path(made)
        fields = steps_of(bundle, read_midesec(options.data), folder / "midesec", config)
        elsewhere = steps_of(bundle, read_brecahad(options.data), folder / "brecahad", config)
    lines = [stamp(), "", *table(bundle, fields, fit_point(elsewhere, repeats=2).threshold)]
    print("\n".join(lines), flush=True)
    if options.write:
        write_page(RESULT, __doc__, lines)


def steps_of(bundle: Bundle, fields: Sequence[Field], folder: Path, config: DetectConfig) -> list[Steps]:
    """Search fields and match what is found with their figures."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place, field in enumerate(fields):
        path = folder / f"{place:04d}.png"
        if not path.exists():
            Image.fromarray(field.window(BoxPx(0, 0, field.width, field.height))).save(path)
        paths.append(path)
    found = folder / f"found-{bundle.fingerprint[:12]}"
    waiting = [path for path in paths if not (found / f"{path.stem}.json").exists()]
    for outcome in detect_slides(waiting, bundle, found, config=config) if waiting else ():
        if outcome.run is None:
            raise SystemExit(f"{outcome.path}: {outcome.error}")
        write_outputs(outcome.run, found, formats=("csv", "json"))
    detections = read_any_predictions(found)
    return [
        PROTOCOL.sweep(one.points_px0, one.score, visible_figures(field), mpp=None).steps
        for field, one in ((field, detections[path.stem]) for field, path in zip(fields, paths, strict=True))
    ]


def table(bundle: Bundle, fields: Sequence[Steps], elsewhere: float) -> list[str]:
    """Return what thresholds from few fields give on the others."""
    point = bundle.manifest.point()
    wrong = logit(point.threshold) + np.array([-WRONG, WRONG])
    priors = {
        f"the bundle's ({bundle.manifest.source}, chosen on {point.chosen_on})": point.threshold,
        "of greatest F1 on BreCaHAD": elsewhere,
        f"wrong by −{WRONG:g} in log-odds": float(expit(wrong[0])),
        f"wrong by +{WRONG:g} in log-odds": float(expit(wrong[1])),
    }
    rows = {"fields alone": draws_of(fields, partial(chosen, kept=point.threshold))}
    for name, threshold in priors.items():
        title, prior = f"prior {threshold:.3f}, {name}", Prior(threshold, name)
        rows[f"{title}: kept as it is"] = draws_of(fields, lambda _, kept=threshold: kept)
        rows[f"{title}: counting for {PRIOR_FIGURES:g} figures"] = draws_of(
            fields, partial(chosen, kept=threshold, prior=prior)
        )
    figures = sum(steps.figures for steps in fields) / len(fields)
    head = " | ".join(f"{size} fields ({size * figures:.0f} figures)" for size in SIZES)
    return [
        f"| Threshold | {head} |",
        "|---" * (len(SIZES) + 1) + "|",
        *(f"| {name} | {' | '.join(said(values) for values in row)} |" for name, row in rows.items()),
    ]


def chosen(drawn: Sequence[Steps], *, kept: float, prior: Prior | None = None) -> float:
    """Return the threshold of greatest F1; where the fields have no figure that was found, the one kept."""
    try:
        return fit_point(drawn, prior=prior, repeats=2).threshold
    except FormatError:
        return kept


def draws_of(fields: Sequence[Steps], choose: Callable[[Sequence[Steps]], float]) -> list[Floats]:
    """Return for each size the F1 of the fields that were not drawn; the draws are always the same."""
    scores = []
    for size in SIZES:
        random = np.random.default_rng(size)
        values = []
        for _ in range(DRAWS):
            order = random.permutation(len(fields))
            drawn, others = ([fields[place] for place in part] for part in (order[:size], order[size:]))
            values.append(Steps.total(others).at(choose(drawn)).f1 or 0.0)
        scores.append(np.array(values))
    return scores


def said(values: Floats) -> str:
    """Return the mean and what nineteen in twenty exceed."""
    return f"{values.mean():.3f} [{np.quantile(values, 0.05):.3f}]"


if __name__ == "__main__":
    main()
