"""Judging detections of many images against the ground truth."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.detections import Detections
from mitoscope.errors import FormatError, ScaleError
from mitoscope.evaluate.evaluation import Evaluation, check_threshold
from mitoscope.evaluate.judged_image import JudgedImage, judge_image, scale_of
from mitoscope.evaluate.protocols import MITOSCOPE, Protocol
from mitoscope.evaluate.thresholds import ChosenThreshold
from mitoscope.exchange import Result
from mitoscope.geometry import Mpp
from mitoscope.image_names import match_stems
from mitoscope.statistics import REPEATS
from mitoscope.truth import GroundTruth

_NAMES_MAX = 3


def evaluate(
    predictions: Mapping[str, Detections | Result],
    truth: GroundTruth,
    *,
    protocol: Protocol = MITOSCOPE,
    threshold: float | ChosenThreshold | None = None,
    mpp: Mpp | None = None,
    mpp_override: bool = False,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Evaluation:
    """Judge detections against the ground truth; each image is matched once.

    Parameters
    ----------
    predictions : mapping of str to Detections, or to Result
        What `read_results` returns, or detections by the image's name, with or without its folder and
        suffix. Those that are mitotic figures with a score strictly above the threshold are judged.
    truth : GroundTruth
        Figures, look-alikes, case, resolution and examined area of each image.
    protocol : Protocol
        The matching rule.
    threshold : float or ChosenThreshold, optional
        In [0, 1]; one that was chosen keeps saying on what. By default what the result of each image states,
        and 0 where it states none.
    mpp : Mpp, optional
        Resolution of images of which neither the result nor the ground truth states it. Without any, the
        protocol's radius is in pixels.
    mpp_override : bool
        Let `mpp` replace what they state.
    repeats, seed : int
        Of the bootstrap, which draws cases.

    Notes
    -----
    An image that the ground truth does not name is not judged; one without predictions has all of its figures
    missed; both are listed. What lies outside of the examined area of an image is not judged, and counted.
    Detections at one place are judged one by one (of two on one figure, a one-to-one protocol counts the
    second as false) and are counted; cells of the ground truth at one place and of one class are one.

    Raises
    ------
    ConfigError
        If the threshold is not in [0, 1].
    FormatError
        If there is nothing to judge, or no image has both predictions and ground truth.
    ScaleError
        If a result and the ground truth state two resolutions, or some images have one and others none.
    NotExaminedError
        If nothing is stated of what was looked at on a whole slide.
    """
    check_threshold(threshold)
    truth = truth.without_duplicates()
    detections = _by_stem(predictions, "the results")
    slides = {
        name: truth.by_name[full]
        for full, name in match_stems(truth.by_name, where=truth.source or "the ground truth").items()
    }
    _check_names(detections, slides)
    scales = {
        name: scale_of(detections[name], slide, mpp=mpp, override=mpp_override)
        if name in detections
        else slide.mpp
        for name, slide in slides.items()
    }
    if protocol.radius_um is not None:
        _check_scales({name: scales[name] for name in slides if name in detections})
    images: dict[str, JudgedImage] = {
        name: judge_image(detections.get(name), slides[name], protocol=protocol, mpp=scales[name])
        for name in sorted(slides)
    }
    return Evaluation(
        protocol=protocol,
        judged_images=images,
        truth=truth,
        chosen_threshold=threshold,
        without_truth=tuple(sorted(detections.keys() - slides.keys())),
        repeats=repeats,
        seed=seed,
    )


def _by_stem(predictions: Mapping[str, Detections | Result], where: str) -> dict[str, Detections]:
    found: dict[str, Detections] = {}
    for full, name in match_stems(predictions, where=where).items():
        each = predictions[full]
        found[name] = each.candidates if isinstance(each, Result) else each
    return found


def _check_names(found: Mapping[str, Detections], slides: Mapping[str, object]) -> None:
    if not slides:
        raise FormatError("nothing to judge: no image in the ground truth", where="evaluation")
    if found and not found.keys() & slides.keys():
        raise FormatError(
            f"the results are of {listed(found)}, the ground truth of {listed(slides)}",
            where="evaluation",
            mend="use the same image names in both",
        )


def _check_scales(scales: Mapping[str, Mpp | None]) -> None:
    """Refuse to measure some images in µm and others in pixels."""
    without = [name for name, mpp in scales.items() if mpp is None]
    if without and len(without) < len(scales):
        raise ScaleError(
            f"no resolution is stated for {listed(without)}, for other images there is one",
            where="evaluation",
            mend="give it with --mpp",
        )


def listed(names: Mapping[str, object] | list[str]) -> str:
    """Return some of the names, and how many more there are."""
    shown = [repr(name) for name in sorted(names)[:_NAMES_MAX]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
