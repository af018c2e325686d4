"""The self-test of a bundle: the network finds here what it found on its author's machine."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mitoscope.bundle.load import Bundle
from mitoscope.bundle.manifest import SelfTest
from mitoscope.bundle.network import ORT_ERRORS, find_points, open_network
from mitoscope.errors import BundleDamagedError

_SIDE_MAX_PX = 8192


def points_above(onnx: bytes, rgb: NDArray[np.uint8], *, floor: float, where: str) -> NDArray[np.float64]:
    """Return x, y and score of the points that a network finds in one picture, by descending score.

    Raises
    ------
    BundleDamagedError
        If the network does not load or run, or finds something that is not finite.
    """
    session = open_network(onnx, where=where)
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


def verify_bundle(bundle: Bundle) -> int:
    """Run the self-test.

    Returns
    -------
    int
        Number of points that were expected and found.

    Raises
    ------
    BundleDamagedError
        If an expected point is not found or another one is.
    """
    test, floor = bundle.manifest.self_test, bundle.manifest.score_floor
    where = str(bundle.folder / test.image)
    # Down to the tolerance below the floor: an expected point may lie on either side of it here.
    found = points_above(
        bundle.onnx,
        _picture(bundle.read(test.image), where),
        floor=max(floor - test.tolerance_score, 0.0),
        where=str(bundle.folder / bundle.manifest.detector),
    )
    _compare(found, test, floor=floor, where=where)
    return len(test.points)


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
