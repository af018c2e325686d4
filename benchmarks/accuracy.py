"""How accurate a detector is by the real command's way, on fields that it has not learnt from.

    python benchmarks/accuracy.py [--model M] [--quality Q] [--data ../shared/data] [--write FOLDER]

Sets: MiDeSeC, on which nothing is trained, and the cases that the recipes of shipped detectors hold out.
Fields are written as pictures and searched by `detect_slides`; matching `tupac`, threshold of the bundle,
intervals of 95 % by drawing cases. ECE is that of all candidates, whatever the threshold. --write writes a
bundle of two stages anew with these figures, its scores calibrated and its threshold chosen on MiDeSeC.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from machine import stamp
from PIL import Image

from mitoscope.bundle import Bundle, Metric, ModelDescription, load_bundle
from mitoscope.bundle.write import revise
from mitoscope.data.field import Field, visible_figures
from mitoscope.data.open_data import read_midesec
from mitoscope.data.sources import OpenData, read_fields
from mitoscope.data.split import SplitConfig, split_by_case
from mitoscope.detections import Detections
from mitoscope.evaluate import PROTOCOLS, Criterion, Evaluation, FileJudge, calibrate, evaluate
from mitoscope.geometry import BoxPx, Mpp
from mitoscope.infer import DetectConfig, detect_slides
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.report import write_outputs
from mitoscope.train.model_card import write_joined_card
from mitoscope.train.packing import CARD_NAME
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

MPP = 0.25
CASE = "BreCaHAD/Case_10"
HELD_OUT = SplitConfig(held_out=(CASE,), every_nth=9)
CHOSEN = "MiDeSeC"
PROTOCOL = PROTOCOLS["tupac"]
POINTS = ("f1", "unbiased-count", "recall-at-2-per-mm2")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="name or folder of a bundle; by default the shipped one")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="of the new bundle; must not exist")
    parser.add_argument("--version", help="of the new bundle; by default that of its first stage")
    parser.add_argument("--quality", help="of the second look")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    print(stamp(), flush=True)
    bundle = load_bundle(options.model) if options.model else load_bundle()
    config = DetectConfig(mpp=MPP, threads=options.threads, quality=options.quality)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.write is not None:
            bundle = _calibrated(bundle, read_midesec(options.data), folder, config)
        held_out = split_by_case(
            read_fields(OpenData(kind="open-data"), options.data, mpp=MPP), HELD_OUT
        ).validation
        sets = {
            "MiDeSeC (never trained on; threshold chosen here)": read_midesec(options.data),
            "held-out cases of all training sources": held_out,
            f"{CASE} (held out from training)": [one for one in held_out if one.case == CASE],
        }
        metrics: list[Metric] = []
        for number, (dataset, fields) in enumerate(sets.items()):
            started = time.perf_counter()
            judged = _judge(bundle, fields, folder / str(number), config)
            _print(dataset, judged, seconds=time.perf_counter() - started)
            metrics += _metrics(dataset, judged)
        if options.write is not None:
            _finish(bundle, metrics, options.write, version=options.version)


def _search(
    bundle: Bundle, fields: Sequence[Field], folder: Path, config: DetectConfig
) -> dict[str, Detections]:
    folder.mkdir()
    paths = []
    for place, field in enumerate(fields):
        path = folder / f"{place:04d}.png"
        Image.fromarray(field.window(BoxPx(0, 0, field.width, field.height))).save(path)
        paths.append(path)
    found = {}
    for outcome in detect_slides(paths, bundle, folder / "found", config=config):
        if outcome.run is None:
            raise SystemExit(f"{outcome.path}: {outcome.error}")
        write_outputs(outcome.run, folder / "found", formats=("csv", "json"))
        found[outcome.run.slide.name] = outcome.run.detections
    return found


def _judge(bundle: Bundle, fields: Sequence[Field], folder: Path, config: DetectConfig) -> Evaluation:
    found = _search(bundle, fields, folder, config)
    truth = GroundTruth(
        tuple(
            SlideTruth(
                f"{place:04d}.png",
                TrueCells.of(visible_figures(field), MITOTIC_FIGURE.name),
                case=field.case,
                mpp=Mpp.square(MPP),
                stated_examined=ExaminedArea.whole("a field"),
            )
            for place, field in enumerate(fields)
        )
    )
    return evaluate(found, truth, protocol=PROTOCOL, threshold=bundle.manifest.default_threshold)


def _print(dataset: str, judged: Evaluation, *, seconds: float) -> None:
    score, ends = judged.score, judged.intervals
    print(f"{dataset}: {len(judged.images)} fields, {len(judged.case_scores)} cases, {seconds:.0f} s")
    for name, value, interval in (
        ("F1", score.f1, ends.f1),
        ("precision", score.precision, ends.precision),
        ("recall", score.recall, ends.recall),
    ):
        told = "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
        print(f"  {name:<10}{value or 0:.3f}{told}")
    print(f"  {'ECE':<10}{judged.reliability().ece or 0:.3f}", flush=True)


def _metrics(dataset: str, judged: Evaluation) -> list[Metric]:
    score, ends = judged.score, judged.intervals
    rows = (
        ("f1", score.f1, ends.f1),
        ("precision", score.precision, ends.precision),
        ("recall", score.recall, ends.recall),
    )
    return [
        Metric(
            name=name,
            dataset=dataset,
            protocol=PROTOCOL.name,
            value=round(value, 4),
            ci_low=round(min(interval.low, value), 4),
            ci_high=round(max(interval.high, value), 4),
            images=len(judged.case_scores),
            threshold=judged.threshold,
        )
        for name, value, interval in rows
        if value is not None and interval is not None
    ]


def _calibrated(bundle: Bundle, fields: Sequence[Field], folder: Path, config: DetectConfig) -> Bundle:
    _search(bundle, fields, folder / "chosen", config)
    truth = folder / "truth.csv"
    lines = [
        f"{place:04d}.png,{x},{y},mitotic figure"
        for place, field in enumerate(fields)
        for x, y in visible_figures(field).tolist()
    ]
    truth.write_text("\n".join(["image,x,y,label", *lines]) + "\n", encoding="utf-8")
    judge = FileJudge(truth, PROTOCOL, mpp=Mpp.square(MPP), examined="whole")
    # Without a prior: the point of a bundle that was just joined is that of its second stage alone.
    done = calibrate(
        bundle,
        judge,
        folder / "chosen" / "found",
        folder / "own",
        dataset=CHOSEN,
        criteria=[Criterion.parse(name) for name in POINTS],
        weight=0,
        scores=True,
    )
    for one in (done.ece_before, done.ece):
        if one is not None:
            print(f"ECE {one.value:.3f} [{one.ci_low:.3f}, {one.ci_high:.3f}], {one.dataset}", flush=True)
    return load_bundle(folder / "own")


def _finish(bundle: Bundle, metrics: Sequence[Metric], out: Path, *, version: str | None) -> None:
    """Write the bundle with what was measured."""
    kept = tuple(one for one in bundle.manifest.metrics if one.name == "ece")
    version = version or bundle.manifest.version.removesuffix("-calibrated")
    changes = {"metrics": (*metrics, *kept), "version": version}
    stated = {name: getattr(bundle.manifest, name) for name in ModelDescription.model_fields} | changes
    card = write_joined_card(ModelDescription(**stated), is_open_data=True)
    revise(bundle, out, changes, files={CARD_NAME: card.encode()})
    print(f"written to {out}")


if __name__ == "__main__":
    main()
