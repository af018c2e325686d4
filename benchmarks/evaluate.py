"""How long it takes to judge many detections of many slides under every protocol, intervals included.

Run it with ``python benchmarks/evaluate.py``; the goal is 50,000 detections against 50,000 figures over 100
slides with 1,000 draws of the bootstrap in less than 5 s.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
from machine import stamp

from mitoscope.detections import Detections
from mitoscope.evaluate import PROTOCOLS, Evaluation, Protocol, evaluate, iou_protocol
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

SLIDE_PX = 40_000


def make_case(detections: int, slides: int, seed: int = 0) -> tuple[dict[str, Detections], GroundTruth]:
    """Return detections and as many figures, evenly over the slides: two thirds near a figure."""
    generator = np.random.default_rng(seed)
    each = detections // slides
    predictions, truth = {}, []
    whole = ExaminedArea.whole("painted")
    for slide in range(slides):
        figures = generator.random((each, 2)) * SLIDE_PX
        points = figures + generator.normal(0, 8, figures.shape)
        strangers = generator.random(each) < 1 / 3
        points[strangers] = generator.random((int(strangers.sum()), 2)) * SLIDE_PX
        name = f"slide {slide:03d}"
        score = np.clip(generator.normal(np.where(strangers, 0.45, 0.65), 0.15), 0, 1)
        predictions[name] = Detections.of(points, score)
        truth.append(SlideTruth(name, TrueCells.of(figures, MITOTIC_FIGURE.name), stated_examined=whole))
    return predictions, GroundTruth(tuple(truth))


def judge(
    predictions: dict[str, Detections], truth: GroundTruth, protocol: Protocol, repeats: int
) -> tuple[Evaluation, float]:
    """Return the evaluation, everything computed, and the processor seconds it took."""
    start = time.process_time()
    evaluation = evaluate(predictions, truth, protocol=protocol, threshold=0.5, repeats=repeats)
    evaluation.as_dict()
    return evaluation, time.process_time() - start


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=50_000)
    parser.add_argument("--slides", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=1_000)
    options = parser.parse_args()
    predictions, truth = make_case(options.detections, options.slides)
    print(f"{stamp()}, Python {platform.python_version()}")
    print(
        f"{options.detections:,} detections, {options.detections:,} figures, {options.slides} slides,"
        f" {options.repeats:,} draws"
    )
    for protocol in (*PROTOCOLS.values(), iou_protocol(0.5)):
        evaluation, seconds = judge(predictions, truth, protocol, options.repeats)
        ends = evaluation.intervals.f1
        assert ends is not None
        print(
            f"{protocol.name:<10}{seconds:6.2f} s   F1 {evaluation.score.f1:.4f}"
            f" [{ends.low:.4f}, {ends.high:.4f}]   AP {evaluation.average_precision:.4f}"
        )


if __name__ == "__main__":
    main()
