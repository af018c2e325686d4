"""Faster R-CNN with a ResNet-50 feature pyramid, on torchvision's parts (crowd paper: DET).

Training goes through torchvision's own proposal network and second stage. For export the same weights are run
by a graph of fixed size, since torchvision's own inference takes images one by one: a window has `PROPOSALS`
proposals, empty ones with score 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name
from torchvision.models import ResNet50_Weights
from torchvision.models.detection import FasterRCNN, FasterRCNN_ResNet50_FPN_Weights
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import FrozenBatchNorm2d, roi_align

from mitoscope.data.target import Batch
from mitoscope.models.boxes import best, kept, points_of
from mitoscope.models.config import FasterRcnnConfig
from mitoscope.models.family import Family, Layout, modules_as_stages
from mitoscope.models.normalise import Normalise, statistics
from mitoscope.models.pretrained import fetching

TOP_K: Final = 64
PROPOSALS: Final = 100
"""Of a window; torchvision keeps 1,000 of images of 800 px and more."""
_PER_LEVEL: Final = 200
_STRIDE_PX: Final = 32
_HALO_PX: Final = 64
_RATIOS: Final = ((0.5, 1.0, 2.0),) * 5
_CANONICAL_PX: Final = 224.0
_CANONICAL_LEVEL: Final = 2
_FINEST_STRIDE_PX: Final = 4


def weighted_losses(
    logits: Tensor, coded: Tensor, *, labels: Tensor, wanted: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the losses of classes and boxes; with all weights 1 they are torchvision's `fastrcnn_loss`.

    The cross-entropy alone is weighted, as in the crowd paper (Section 3.2): where a box lies is as sure as
    ever.

    Parameters
    ----------
    logits : Tensor of float32, shape (m, classes)
        Class 0 is background.
    coded : Tensor of float32, shape (m, 4 × classes)
    labels : Tensor of int64, shape (m,)
    wanted : Tensor of float32, shape (m, 4)
        Coded true boxes.
    weight : Tensor of float32, shape (m,)
        Agreement on the box that a proposal belongs to; 1 for background.
    """
    classes = (F.cross_entropy(logits, labels, reduction="none") * weight).mean()
    positive = torch.where(labels > 0)[0]
    own = coded.reshape(len(coded), -1, 4)[positive, labels[positive]]
    distance = F.smooth_l1_loss(own, wanted[positive], beta=1 / 9, reduction="none").sum(1)
    return classes, distance.sum() / labels.numel()


def put_detector(parts: FasterRCNN, weights: Mapping[str, Tensor]) -> int:
    """Put the weights of torchvision's detector into one for other classes, whose last layers stay new.

    Returns
    -------
    int
        Number of arrays that were taken.
    """
    own = parts.state_dict()
    taken = {
        name: weight for name, weight in weights.items() if name in own and own[name].shape == weight.shape
    }
    parts.load_state_dict(taken, strict=False)
    return len(taken)


class AgreementHeads(RoIHeads):  # type: ignore[misc]
    """Torchvision's second stage, its cross-entropy weighted."""

    def losses(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        *,
        shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]],
        agreement: Sequence[Tensor],
    ) -> Tensor:
        """Return the sum of both losses over sampled proposals.

        Parameters
        ----------
        features, proposals, shapes, targets
            As `RoIHeads.forward`.
        agreement : sequence of Tensor of float32, shape (m_i,)
            Of every true box.
        """
        proposals, matched, labels, wanted = self.select_training_samples(proposals, targets)
        weight = [
            _weight_of(index, label, own)
            for index, label, own in zip(matched, labels, agreement, strict=True)
        ]
        logits, coded = self.box_predictor(self.box_head(self.box_roi_pool(features, proposals, shapes)))
        classes, boxes = weighted_losses(
            logits, coded, labels=torch.cat(labels), wanted=torch.cat(wanted), weight=torch.cat(weight)
        )
        return classes + boxes


def _weight_of(matched: Tensor, labels: Tensor, agreement: Tensor) -> Tensor:
    if not len(agreement):
        return torch.ones(len(labels), device=labels.device)
    return torch.where(labels > 0, agreement[matched], torch.ones((), device=labels.device))


class FasterRcnn(Family):
    """The detector.

    Parameters
    ----------
    config : FasterRcnnConfig
    """

    kind = "points"
    outputs = 3

    def __init__(self, config: FasterRcnnConfig) -> None:
        super().__init__()
        self.config = config
        imagenet, coco = config.weights == "imagenet", config.weights == "coco"
        self.normalise = Normalise(*statistics(config.weights))
        with fetching():
            backbone = resnet_fpn_backbone(
                backbone_name="resnet50",
                weights=ResNet50_Weights.IMAGENET1K_V2 if imagenet else None,
                norm_layer=FrozenBatchNorm2d if imagenet or coco else nn.BatchNorm2d,
                trainable_layers=5,
            )
        self.parts = FasterRCNN(
            backbone,
            num_classes=len(config.labels) + 1,
            rpn_anchor_generator=AnchorGenerator(tuple((side,) for side in config.anchor_px), _RATIOS),
            rpn_pre_nms_top_n_test=_PER_LEVEL,
            rpn_post_nms_top_n_test=PROPOSALS,
            box_score_thresh=config.score_floor,
            box_nms_thresh=config.nms_iou,
            box_batch_size_per_image=config.regions,
            box_detections_per_img=TOP_K,
        )
        # A plain change of class: the parts and their weights stay those that torchvision made.
        self.parts.roi_heads.__class__ = AgreementHeads
        if coco:
            with fetching():
                known = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.get_state_dict(check_hash=True)
            put_detector(self.parts, known)

    def loss(self, batch: Batch) -> Tensor:
        """Return the sum of the losses of both stages."""
        n, height, width = batch.rgb.shape[:3]
        shapes = [(height, width)] * n
        planes = self.normalise(batch.rgb)
        features = self.parts.backbone(planes)
        targets = [
            {"boxes": boxes, "labels": classes + 1}
            for boxes, classes in zip(batch.boxes, batch.classes, strict=True)
        ]
        proposals, first = self.parts.rpn(ImageList(planes, shapes), features, targets)
        ones = tuple(boxes.new_ones(len(boxes)) for boxes in batch.boxes)
        stated = batch.weights if self.config.agreement_weighted else ones
        second = self.parts.roi_heads.losses(
            features, proposals, shapes=shapes, targets=targets, agreement=stated
        )
        total: Tensor = sum(first.values()) + second
        return total

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of early and late backbone, and of pyramid, proposals and second stage."""
        body = self.parts.backbone.body
        early = [body[name] for name in ("conv1", "bn1", "layer1", "layer2")]
        late = [body[name] for name in ("layer3", "layer4")]
        return modules_as_stages(early, late, [self.parts.backbone.fpn, self.parts.rpn, self.parts.roi_heads])

    def exportable(self) -> nn.Module:
        """Return the detector of points."""
        return _Points(self)

    def layout(self) -> Layout:
        """Return windows of one size: the anchors belong to it."""
        return Layout(
            mpp=self.config.mpp,
            stride_px=_STRIDE_PX,
            halo_px=min(_HALO_PX, self.config.patch_px // 4),
            window_px=self.config.patch_px,
            any_window=False,
            top_k=TOP_K,
        )


class _Points(nn.Module):
    """Both stages over a batch of windows, with as many proposals in every one."""

    def __init__(self, detector: FasterRcnn) -> None:
        super().__init__()
        self.detector = detector
        self.parts = detector.parts

    def forward(self, windows: Tensor) -> Tensor:
        config, planes = self.detector.config, self.detector.normalise(windows)
        features = list(self.parts.backbone(planes).values())
        boxes, objectness = self._proposals(planes, features)
        pooled = _pooled(features[:-1], boxes)
        logits, coded = self.parts.roi_heads.box_predictor(self.parts.roi_heads.box_head(pooled))
        score = torch.softmax(logits.float(), 1)[:, 1].reshape(boxes.shape[:2])
        own = coded.reshape(*boxes.shape[:2], -1, 4)[:, :, 1]
        found = _decoded(self.parts.roi_heads.box_coder, own, boxes).clamp(0, config.patch_px)
        score = score * (objectness > 0)
        return points_of(found, score, iou=config.nms_iou, floor=config.score_floor, top_k=TOP_K)

    def _proposals(self, planes: Tensor, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the best boxes of the first stage, (n, PROPOSALS, 4), and scores; 0 if there are fewer."""
        rpn, side = self.parts.rpn, self.detector.config.patch_px
        objectness, deltas = rpn.head(features)
        anchors = rpn.anchor_generator(ImageList(planes[:1], [(side, side)]), [f[:1] for f in features])[0]
        counts = [int(level[0].numel()) for level in objectness]
        flat, coded = concat_box_prediction_layers(objectness, deltas)
        n = planes.shape[0]
        scores = torch.sigmoid(flat.reshape(n, -1).float())
        boxes = _decoded(rpn.box_coder, coded.reshape(n, -1, 4).float(), anchors[None]).clamp(0, side)
        wide = ((boxes[..., 2:] - boxes[..., :2]) >= rpn.min_size).all(-1)
        scores = scores * wide
        levels = [
            self._level(b, s)
            for b, s in zip(torch.split(boxes, counts, 1), torch.split(scores, counts, 1), strict=True)
        ]
        return best(torch.cat([b for b, _ in levels], 1), torch.cat([s for _, s in levels], 1), PROPOSALS)

    def _level(self, boxes: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        boxes, score = best(boxes, score, _PER_LEVEL)
        return boxes, score * kept(boxes, score, iou=self.parts.rpn.nms_thresh)


def _pooled(features: list[Tensor], boxes: Tensor) -> Tensor:
    """Pool 7 × 7 features of boxes, each from the pyramid level for its size (Lin et al. 2017, eq. 1)."""
    n, count = boxes.shape[0], boxes.shape[1]
    window = torch.arange(n, device=boxes.device, dtype=boxes.dtype).repeat_interleave(count)
    rois = torch.cat([window[:, None], boxes.reshape(-1, 4)], 1)
    area = (rois[:, 3] - rois[:, 1]).clamp_min(0) * (rois[:, 4] - rois[:, 2]).clamp_min(0)
    level = torch.floor(_CANONICAL_LEVEL + torch.log2(area.sqrt() / _CANONICAL_PX + 1e-12) + 1e-6)
    level = level.clamp(0, len(features) - 1)
    total = torch.zeros(())
    for index, plane in enumerate(features):
        scale = 1 / (_FINEST_STRIDE_PX * 2**index)
        own = roi_align(plane, rois, 7, spatial_scale=scale, sampling_ratio=2)
        total = total + own * (level == index)[:, None, None, None]
    return total


def _decoded(coder: BoxCoder, coded: Tensor, boxes: Tensor) -> Tensor:
    """Return the boxes that are coded relative to others, (n, b, 4): `BoxCoder.decode` for whole batches."""
    weights = torch.tensor(coder.weights, device=coded.device)
    side = boxes[..., 2:] - boxes[..., :2]
    middle = boxes[..., :2] + side / 2 + coded[..., :2] / weights[:2] * side
    half = torch.exp((coded[..., 2:] / weights[2:]).clamp(max=coder.bbox_xform_clip)) * side / 2
    return torch.cat([middle - half, middle + half], -1)
