"""Judging detections of many images against their truth."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.evaluate.evaluation import NO_POINTS, Evaluation, Points, read_threshold
from mitoscope.evaluate.protocols import Protocol
from mitoscope.evaluate.sweep import Sweep
from mitoscope.evaluate.thresholds import ChosenThreshold
from mitoscope.geometry import Mpp
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.statistics import REPEATS


def evaluate(
    predictions: Mapping[str, Detections],
    truth: Mapping[str, Points],
    *,
    protocol: Protocol,
    threshold: float | ChosenThreshold,
    mpp: Mpp | None = None,
    label: str = MITOTIC_FIGURE.name,
    cases: Mapping[str, str] | None = None,
    look_alikes: Mapping[str, Points] | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Evaluation:
    """Judge detections against the truth; each image is matched once.

    Parameters
    ----------
    predictions : mapping of str to Detections
        By image; of each those of `label` with a score strictly above the threshold are judged.
    truth : mapping of str to ndarray, shape (m, 2)
        Centres of the true figures in level-0 pixels, by image; an image without figures has none.
    protocol : Protocol
        The matching rule.
    threshold : float or ChosenThreshold
        In [0, 1]; one that was chosen keeps saying on what.
    mpp : Mpp, optional
        Resolution of all images; the protocol's radius is then in µm, else in pixels.
    label : str
        The class that is judged.
    cases : mapping of str to str, optional
        Case of each image; the bootstrap draws cases. Without it every image is a case.
    look_alikes : mapping of str to ndarray, shape (k, 2), optional
        Centres of labelled look-alikes by image; with it the precision among them is told.
    repeats, seed
        Of the bootstrap.

    Notes
    -----
    An image named in neither is not judged. One with predictions only counts its detections as false
    positives, one with truth only its figures as missed; both are listed. Detections at one place are judged
    one by one (of two on one figure, a one-to-one protocol counts the second as false) and are counted.

    Raises
    ------
    ConfigError
        If the threshold is not in [0, 1].
    FormatError
        If there is nothing to judge, or an image has no case.
    """
    value, source = read_threshold(threshold)
    names = sorted({*predictions, *truth})
    if not names:
        raise FormatError("nothing to judge: no image in predictions or truth", where="evaluation")
    candidates = {name: predictions.get(name, Detections.empty()).labelled(label) for name in names}

    def sweep(name: str) -> Sweep:
        found = candidates[name]
        return protocol.sweep(found.points_px0, found.score, truth.get(name, NO_POINTS), mpp=mpp)

    return Evaluation(
        protocol=protocol,
        threshold=value,
        threshold_source=source,
        candidates=candidates,
        sweeps={name: sweep(name) for name in names},
        cases=_case_of(names, cases),
        mpp=mpp,
        look_alikes_px0=look_alikes,
        without_predictions=tuple(name for name in names if name not in predictions),
        without_truth=tuple(name for name in names if name not in truth),
        repeats=repeats,
        seed=seed,
    )


def _case_of(images: list[str], cases: Mapping[str, str] | None) -> dict[str, str]:
    if cases is None:
        return {image: image for image in images}
    for image in images:
        if image not in cases:
            raise FormatError(f"the image {image!r} has no case", where="evaluation")
    return {image: cases[image] for image in images}
