"""RetinaNet with a ResNet-18 in the form of CCMCT, CMC and MIDOG++ (Marzahl et al.; FACTS of their code).

One pyramid level only (P4, stride 16 px), square anchors at the middle of every cell, heads without
normalisation, focal loss that weighs figures with 0.75. Parts from torchvision: backbone, box coder, matcher,
focal loss, overlap.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name
from torchvision.models import ResNet18_Weights, resnet18
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import box_iou, sigmoid_focal_loss

from mitoscope.data.target import Batch
from mitoscope.models.boxes import points_of
from mitoscope.models.config import RetinaNetConfig
from mitoscope.models.family import Family, Layout, modules_as_stages
from mitoscope.models.normalise import Normalise, statistics
from mitoscope.models.pretrained import fetching

STRIDE_PX: Final = 16
TOP_K: Final = 128
_WINDOW_STRIDE_PX: Final = 32
_HALO_PX: Final = 64
"""Overlap of windows: a figure of up to 50 px is seen whole, with its surroundings, in one of them."""
_CODING: Final = (10.0, 10.0, 5.0, 5.0)
"""Offsets over anchor side and 0.1, logarithm of sides over 0.2, as torchvision states it."""
_POSITIVE_IOU: Final = 0.5
_NEGATIVE_IOU: Final = 0.4
_FIGURE_WEIGHT: Final = 0.75
_FOCAL_GAMMA: Final = 2.0
_PRIOR: Final = -4.0
"""Log-odds of a figure at the start (published code)."""


class RetinaNet(Family):
    """The detector.

    Parameters
    ----------
    config : RetinaNetConfig
    """

    kind = "points"
    outputs = 3

    def __init__(self, config: RetinaNetConfig) -> None:
        super().__init__()
        self.config = config
        own = None if config.mean is None or config.deviation is None else (config.mean, config.deviation)
        self.normalise = Normalise(*(own or statistics(config.weights)))
        self.pyramid = Pyramid(config.channels, imagenet=config.weights == "imagenet")
        classes = len(config.labels) + config.background_class
        anchors = len(config.anchor_px)
        self.classes = head(config, classes * anchors)
        self.boxes = head(config, 4 * anchors)
        nn.init.zeros_(self.classes[-1].weight)  # type: ignore[arg-type]
        nn.init.constant_(torch.as_tensor(self.classes[-1].bias), _PRIOR)
        self.matcher = Matcher(_POSITIVE_IOU, _NEGATIVE_IOU, allow_low_quality_matches=False)
        self.coder = BoxCoder(_CODING)

    def raw(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log-odds (n, a, classes), coded boxes (n, a, 4) and the anchors (a, 4)."""
        plane = self.pyramid(self.normalise(windows))
        n, sides = windows.shape[0], self.config.anchor_px
        logits = by_anchor(self.classes(plane), n, len(sides))
        coded = by_anchor(self.boxes(plane), n, len(sides))
        return logits, coded, square_anchors(plane, sides)

    def loss(self, batch: Batch) -> Tensor:
        """Return focal loss of the classes plus smooth L1 loss of the boxes, a mean over the windows."""
        logits, coded, anchors = self.raw(batch.rgb)
        losses = [
            self._window_loss(own.float(), boxes.float(), anchors, boxes=true, classes=classes)
            for own, boxes, true, classes in zip(logits, coded, batch.boxes, batch.classes, strict=True)
        ]
        return torch.stack(losses).mean()

    def _window_loss(
        self, logits: Tensor, coded: Tensor, anchors: Tensor, *, boxes: Tensor, classes: Tensor
    ) -> Tensor:
        target = torch.zeros_like(logits)
        if not len(boxes):
            return _focal(logits, target).sum()
        matched = self.matcher(box_iou(boxes, anchors))
        positive = matched >= 0
        counts = positive | (matched == Matcher.BELOW_LOW_THRESHOLD)
        target[positive, classes[matched[positive]]] = 1
        loss: Tensor = _focal(logits[counts], target[counts]).sum() / positive.sum().clamp_min(1)
        if bool(positive.any()):
            wanted = self.coder.encode_single(boxes[matched[positive]], anchors[positive])
            loss = loss + F.smooth_l1_loss(coded[positive], wanted)
        return loss

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of early and late backbone, and of pyramid and heads."""
        own = self.pyramid
        return modules_as_stages(own.early, [own.to_c4, own.to_c5], [own.merge, self.classes, self.boxes])

    def exportable(self) -> nn.Module:
        """Return the detector of points."""
        return _Points(self)

    def layout(self) -> Layout:
        """Return windows of any size; the halo is an overlap, since the pyramid sees most of a window."""
        return Layout(
            mpp=self.config.mpp,
            stride_px=_WINDOW_STRIDE_PX,
            halo_px=min(_HALO_PX, self.config.patch_px // 8),
            window_px=self.config.patch_px,
            any_window=True,
            top_k=TOP_K,
        )


class _Points(nn.Module):
    def __init__(self, detector: RetinaNet) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, windows: Tensor) -> Tensor:
        own = self.detector
        logits, coded, anchors = own.raw(windows)
        score = torch.sigmoid(logits[..., 0].float())
        boxes = decoded(coded.float(), anchors)
        config = own.config
        return points_of(boxes, score, iou=config.nms_iou, floor=config.score_floor, top_k=TOP_K)


class Pyramid(nn.Module):
    """The backbone and the one pyramid level P4: C4 and, enlarged, C5.

    Parameters
    ----------
    channels : int
    imagenet : bool
        Begin with torchvision's weights.
    """

    def __init__(self, channels: int, *, imagenet: bool) -> None:
        super().__init__()
        with fetching():
            net = resnet18(weights=ResNet18_Weights.IMAGENET1K_V1 if imagenet else None)
        self.early = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2)
        self.to_c4, self.to_c5 = net.layer3, net.layer4
        self.merge = nn.ModuleDict(
            {
                "c4": nn.Conv2d(256, channels, 1),
                "c5": nn.Conv2d(512, channels, 1),
                "smooth": nn.Conv2d(channels, channels, 3, padding=1),
            }
        )

    def forward(self, planes: Tensor) -> Tensor:
        """Map planes (n, 3, h, w) to P4 (n, channels, h / 16, w / 16)."""
        c4 = self.to_c4(self.early(planes))
        above = F.interpolate(self.merge["c5"](self.to_c5(c4)), scale_factor=2.0, mode="nearest")
        level: Tensor = self.merge["smooth"](self.merge["c4"](c4) + above)
        return level


def head(config: RetinaNetConfig, outputs: int) -> nn.Sequential:
    """Return convolutions with ReLU, and a last one without."""
    layers: list[nn.Module] = []
    for _ in range(config.head_convolutions):
        layers += [nn.Conv2d(config.channels, config.channels, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(config.channels, outputs, 3, padding=1))


def by_anchor(planes: Tensor, n: int, anchors: int) -> Tensor:
    """Reorder (n, anchors × values, rows, columns) to (n, rows × columns × anchors, values)."""
    values = planes.shape[1] // anchors
    return planes.permute(0, 2, 3, 1).reshape(n, -1, values)


def square_anchors(plane: Tensor, sides: tuple[float, ...]) -> Tensor:
    """Return squares around the middle of every cell, (rows × columns × sides, 4), in window px."""
    rows, columns = plane.shape[2], plane.shape[3]
    y = (torch.arange(rows, device=plane.device) + 0.5) * STRIDE_PX
    x = (torch.arange(columns, device=plane.device) + 0.5) * STRIDE_PX
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    centre = torch.stack([grid_x, grid_y, grid_x, grid_y], -1).reshape(-1, 1, 4)
    half = torch.tensor(sides, device=plane.device) / 2
    return (centre + torch.stack([-half, -half, half, half], -1)).reshape(-1, 4)


def decoded(coded: Tensor, anchors: Tensor) -> Tensor:
    """Return the boxes, (n, a, 4), that a network codes relative to its anchors (the coder's inverse)."""
    side = anchors[:, 2:] - anchors[:, :2]
    centre = (anchors[:, :2] + anchors[:, 2:]) / 2
    middle = centre + coded[..., :2] / _CODING[0] * side
    half = torch.exp((coded[..., 2:] / _CODING[2]).clamp(max=4.0)) * side / 2
    return torch.cat([middle - half, middle + half], -1)


def _focal(logits: Tensor, target: Tensor) -> Tensor:
    loss: Tensor = sigmoid_focal_loss(logits, target, alpha=_FIGURE_WEIGHT, gamma=_FOCAL_GAMMA)
    return loss
