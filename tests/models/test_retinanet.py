"""RetinaNet: anchors, coding and losses against torchvision's and against the published numbers."""

from __future__ import annotations

import pytest
import torch
from torchvision.models.detection._utils import BoxCoder

from mitoscope.data.target import Batch
from mitoscope.models.config import RetinaNetConfig
from mitoscope.models.retinanet import RetinaNet, decoded, square_anchors

from .conftest import batch

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def detector() -> RetinaNet:
    torch.manual_seed(0)
    return RetinaNet(RetinaNetConfig(architecture="retinanet-resnet18", channels=16, patch_px=128))


def test_anchors_are_squares_around_the_middle_of_every_cell() -> None:
    anchors = square_anchors(torch.zeros(1, 1, 2, 3), (38.4, 51.2))
    assert anchors.shape == (2 * 3 * 2, 4)
    assert anchors[0].tolist() == pytest.approx([8 - 19.2, 8 - 19.2, 8 + 19.2, 8 + 19.2])
    assert anchors[1].tolist() == pytest.approx([8 - 25.6, 8 - 25.6, 8 + 25.6, 8 + 25.6])
    middle = (anchors[:, :2] + anchors[:, 2:]) / 2
    assert middle[::2].tolist() == [[8, 8], [24, 8], [40, 8], [8, 24], [24, 24], [40, 24]]


def test_decoding_is_torchvision_s() -> None:
    anchors = square_anchors(torch.zeros(1, 1, 3, 3), (40.0,))
    coded = torch.randn(2, len(anchors), 4)
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    ours = decoded(coded, anchors)
    for window in range(2):
        assert torch.allclose(ours[window], coder.decode_single(coded[window], anchors), atol=1e-4)


def test_a_box_of_50_px_on_the_grid_is_found_by_an_anchor(detector: RetinaNet) -> None:
    anchors = square_anchors(torch.zeros(1, 1, 8, 8), detector.config.anchor_px)
    for shift in range(16):  # wherever its centre lies between cells
        x, y = 56.0 + shift, 60.0
        box = torch.tensor([[x - 25, y - 25, x + 25, y + 25]])
        from torchvision.ops import box_iou

        assert (detector.matcher(box_iou(box, anchors)) >= 0).any()


def test_windows_without_a_cell_teach_background(detector: RetinaNet) -> None:
    # The published code drops them, so that they never count against false positives.
    full = batch(1)
    empty = Batch(full.rgb, (torch.zeros(0, 4),), (torch.zeros(0).long(),), (torch.zeros(0),), full.score)
    loss = detector.loss(empty)
    assert loss.item() > 0


def test_the_head_begins_with_the_published_prior(detector: RetinaNet) -> None:
    logits, _, _ = detector.raw(batch(1).rgb)
    assert logits.detach().numpy() == pytest.approx(-4.0)
