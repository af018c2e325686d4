"""The self-test of a bundle: the network finds here what it found on its author's machine."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mitoscope.bundle.load import Bundle, open_bundle
from mitoscope.bundle.manifest import SelfTest
from mitoscope.bundle.network import ORT_ERRORS, find_points, open_network, score_windows
from mitoscope.errors import BundleDamagedError

_SIDE_MAX_PX = 8192


def points_above(
    session: ort.InferenceSession, rgb: NDArray[np.uint8], *, floor: float, where: str
) -> NDArray[np.float64]:
    """Return x, y and score of the points that a network finds in one picture, by descending score.

    Raises
    ------
    BundleDamagedError
        If the network does not run, or finds something that is not finite.
    """
    try:
        points = find_points(session, rgb[np.newaxis])[0].astype(np.float64)
    except ORT_ERRORS as error:
        raise BundleDamagedError(
            f"the network does not run ({' '.join(str(error).split())[:200]})", where=where
        ) from None
    if not np.isfinite(points).all():
        raise BundleDamagedError("the network gives NaN or infinity", where=where)
    points = points[points[:, 2] > floor]
    order = np.argsort(-points[:, 2], kind="stable")
    return np.asarray(points[order], dtype=np.float64)


def scores_of(session: ort.InferenceSession, rgb: NDArray[np.uint8], *, where: str) -> NDArray[np.float64]:
    """Return the scores that a network gives to one picture, shape (classes,).

    Raises
    ------
    BundleDamagedError
        If the network does not run, or gives something that is not finite or outside [0, 1].
    """
    try:
        scores: NDArray[np.float64] = score_windows(session, rgb[np.newaxis])[0].astype(np.float64)
    except ORT_ERRORS as error:
        raise BundleDamagedError(
            f"the network does not run ({' '.join(str(error).split())[:200]})", where=where
        ) from None
    if not np.isfinite(scores).all():
        raise BundleDamagedError("the network gives NaN or infinity", where=where)
    if scores.min() < 0 or scores.max() > 1:
        raise BundleDamagedError(
            "the network gives scores outside [0, 1]", where=where, mend="export probabilities, not log-odds"
        )
    return scores


def load_tested(folder: Path) -> Bundle:
    """Load a bundle that was just written, and run its self-test.

    Raises
    ------
    BundleDamagedError
        If it does not load or its self-test fails.
    """
    bundle, session = open_bundle(folder)
    verify_bundle(bundle, session=session)
    return bundle


def verify_bundle(bundle: Bundle, *, session: ort.InferenceSession | None = None) -> int:
    """Run the self-test.

    Parameters
    ----------
    bundle : Bundle
    session : onnxruntime.InferenceSession, optional
        Of its detector, where it is open.

    Returns
    -------
    int
        Number of points or scores that were expected and found.

    Raises
    ------
    BundleDamagedError
        If an expected point is not found or another one is, or a score is another.
    """
    test, floor = bundle.manifest.self_test, bundle.manifest.score_floor
    where, detector = str(bundle.folder / test.image), str(bundle.folder / bundle.manifest.detector)
    session = open_network(bundle.onnx, where=detector) if session is None else session
    rgb = _picture(bundle.read(test.image), where)
    if bundle.manifest.kind == "scores":
        scores = scores_of(session, rgb, where=detector)
        _compare_scores(scores, test.scores, tolerance=test.tolerance_score, where=where)
        return len(scores)
    # Down to the tolerance below the floor: an expected point may lie on either side of it here.
    found = points_above(session, rgb, floor=max(floor - test.tolerance_score, 0.0), where=detector)
    _compare(found, test, floor=floor, where=where)
    _test_further(bundle, rgb)
    return len(test.points)


def _test_further(bundle: Bundle, rgb: NDArray[np.uint8]) -> None:
    """Test the graphs beside the detector's on crops in the middle of the picture."""
    test, manifest = bundle.manifest.self_test, bundle.manifest
    tests: list[tuple[str, int, tuple[float, ...]]] = []
    if (verifier := manifest.verifier) is not None:
        tests += zip(verifier.files, verifier.sides_px, test.verifier_scores, strict=True)
    if (subtype := manifest.subtype) is not None:
        tests.append((subtype.file, subtype.crop_px, test.subtype_scores))
    for name, crop_px, expected in tests:
        where = str(bundle.folder / name)
        found = scores_of(open_network(bundle.read(name), where=where), middle(rgb, crop_px), where=where)
        _compare_scores(found, expected, tolerance=test.tolerance_score, where=where)


def middle(rgb: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return the crop in the middle of a picture, mirrored where the picture is smaller."""
    lack = [max(side_px - size, 0) for size in rgb.shape[:2]]
    whole = np.pad(rgb, [*((some // 2, some - some // 2) for some in lack), (0, 0)], mode="symmetric")
    top, left = ((size - side_px) // 2 for size in whole.shape[:2])
    return np.ascontiguousarray(whole[top : top + side_px, left : left + side_px])


def _compare_scores(
    found: NDArray[np.float64], expected: Sequence[float], *, tolerance: float, where: str
) -> None:
    if len(found) != len(expected) or (np.abs(found - expected) > tolerance).any():
        raise BundleDamagedError("self-test: other scores than on the author's machine", where=where)


def _picture(content: bytes, where: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if max(image.size) > _SIDE_MAX_PX or image.mode != "RGB":
                raise BundleDamagedError("an RGB picture of moderate size expected", where=where)
            return np.asarray(image, dtype=np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BundleDamagedError(f"cannot be decoded ({error})", where=where) from None


def _compare(found: NDArray[np.float64], test: SelfTest, *, floor: float, where: str) -> None:
    expected = np.array(test.points, dtype=np.float64)
    free = np.ones(len(found), dtype=np.bool_)
    for x, y, score in expected:
        near = (
            free
            & (np.hypot(found[:, 0] - x, found[:, 1] - y) <= test.tolerance_px)
            & (np.abs(found[:, 2] - score) <= test.tolerance_score)
        )
        if not near.any():
            raise BundleDamagedError(
                f"self-test: the point ({x:.1f}, {y:.1f}) with score {score:.3f} is not found here",
                where=where,
            )
        free[np.argmax(near)] = False
    surplus = free & (found[:, 2] > floor + test.tolerance_score)
    if surplus.any():
        x, y, score = found[np.argmax(surplus)]
        raise BundleDamagedError(
            f"self-test: the point ({x:.1f}, {y:.1f}) with score {score:.3f} is not expected", where=where
        )
