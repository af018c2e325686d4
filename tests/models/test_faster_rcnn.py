"""Faster R-CNN: the exported graph and the weighted losses against torchvision's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss

from mitoscope.models.config import FasterRcnnConfig
from mitoscope.models.faster_rcnn import FasterRcnn, weighted_losses

from .conftest import gap, noise

pytestmark = pytest.mark.train


def test_points_are_the_centres_of_torchvision_s_boxes() -> None:
    torch.manual_seed(4)
    side = 128
    detector = FasterRcnn(FasterRcnnConfig(architecture="faster-rcnn-resnet50", patch_px=side)).eval()
    nn.init.normal_(torch.as_tensor(detector.parts.roi_heads.box_predictor.cls_score.weight), 0, 0.05)
    windows = torch.from_numpy(noise(2, side, side))
    parts, shapes = detector.parts, [(side, side)] * 2
    with torch.inference_mode():
        ours = detector.exportable()(windows).numpy()
        planes = detector.normalise(windows)
        features = parts.backbone(planes)
        proposals, _ = parts.rpn(ImageList(planes, shapes), features)
        found, _ = RoIHeads.forward(parts.roi_heads, features, proposals, shapes)
    theirs = np.zeros((2, 64, 3), dtype=np.float32)
    for window, one in enumerate(found):
        centre = (one["boxes"][:, :2] + one["boxes"][:, 2:]) / 2
        theirs[window, : len(centre)] = torch.cat([centre, one["scores"][:, None]], 1).numpy()
    assert (theirs[..., 2] > 0).sum() > 10
    assert gap(ours, theirs) < 1e-3


def test_losses_without_weights_are_torchvision_s() -> None:
    torch.manual_seed(0)
    logits, coded, wanted = torch.randn(30, 2), torch.randn(30, 8), torch.randn(30, 4)
    labels = torch.randint(0, 2, (30,))
    ours = weighted_losses(logits, coded, labels=labels, wanted=wanted, weight=torch.ones(30))
    assert torch.stack(ours).tolist() == pytest.approx(
        [loss.item() for loss in fastrcnn_loss(logits, coded, [labels], [wanted])]
    )


def test_half_the_agreement_is_half_the_cross_entropy_and_the_whole_loss_of_the_place() -> None:
    logits, coded, wanted = torch.zeros(1, 2), torch.ones(1, 8), torch.zeros(1, 4)
    labels = torch.tensor([1])
    whole = weighted_losses(logits, coded, labels=labels, wanted=wanted, weight=torch.tensor([1.0]))
    half = weighted_losses(logits, coded, labels=labels, wanted=wanted, weight=torch.tensor([0.5]))
    assert half[0].item() == pytest.approx(whole[0].item() / 2)
    assert half[1].item() == whole[1].item() > 0
