from __future__ import annotations

import numpy as np
import pytest

from mitoscope.bundle.network import check_scorer, find_points, open_network, score_windows
from mitoscope.models.build import build
from mitoscope.models.config import FcnConfig
from mitoscope.models.export import export_onnx
from mitoscope.train.join import centre_score

pytestmark = pytest.mark.train

CROP_PX = 64


def test_a_crop_has_the_best_score_near_its_middle() -> None:
    network = build(FcnConfig(architecture="fcn-resnet12", widths=(16, 16, 16)), seed=3)
    graph = export_onnx(network)
    detector = open_network(graph, where="detector")
    crops = np.random.default_rng(0).integers(0, 255, (12, CROP_PX, CROP_PX, 3), dtype=np.uint8)
    points = find_points(detector, crops)
    found_by_radius = []
    for radius in (1.0, 9.0, 200.0):
        scorer = open_network(centre_score(graph, crop_px=CROP_PX, radius_px=radius), where="scorer")
        check_scorer(scorer, side_px=CROP_PX, classes=2, where="scorer")
        near = np.hypot(points[..., 0] - CROP_PX / 2, points[..., 1] - CROP_PX / 2) <= radius
        expected = np.where(near, points[..., 2], 0).max(axis=1)
        scores = score_windows(scorer, crops)
        np.testing.assert_allclose(scores[:, 0], expected, atol=1e-6)
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
        found_by_radius.append(int((expected > 0).sum()))
    assert found_by_radius[0] < found_by_radius[1] <= found_by_radius[2] == 12
