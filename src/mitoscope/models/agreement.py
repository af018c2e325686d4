"""The second stage of Faster R-CNN with losses weighted by agreement (WL of the crowd paper)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from torchvision.models.detection.roi_heads import RoIHeads


def weighted_losses(
    logits: Tensor, coded: Tensor, *, labels: Tensor, wanted: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the losses of classes and boxes; with all weights 1 they are torchvision's `fastrcnn_loss`.

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
    found = torch.where(labels > 0)[0]
    own = coded.reshape(len(coded), -1, 4)[found, labels[found]]
    distance = F.smooth_l1_loss(own, wanted[found], beta=1 / 9, reduction="none").sum(1)
    return classes, (distance * weight[found]).sum() / labels.numel()


class AgreementHeads(RoIHeads):  # type: ignore[misc]
    """Torchvision's second stage, its losses weighted."""

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
