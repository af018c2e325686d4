"""From scored boxes to points, inside the graph: the lesser of two overlapping boxes is left out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from torchvision.ops import nms


class _Keep(torch.autograd.Function):
    """Greedy non-maximum suppression of every window as a mask; in ONNX one standard operator."""

    @staticmethod
    def forward(_ctx: Any, boxes: Tensor, score: Tensor, iou: float) -> Tensor:
        kept = torch.zeros_like(score)
        for window, (own, scores) in enumerate(zip(boxes, score, strict=True)):
            kept[window, nms(own, scores, iou)] = 1
        return kept

    @staticmethod
    def symbolic(g: Any, boxes: Any, score: Any, iou: float) -> Any:
        def constant(value: Tensor) -> Any:
            return g.op("Constant", value_t=value)

        axis = constant(torch.tensor([1]))
        most = constant(torch.tensor([2**31 - 1]))
        index = g.op(
            "NonMaxSuppression",
            boxes,
            g.op("Unsqueeze", score, axis),
            most,
            constant(torch.tensor([iou], dtype=torch.float32)),
        )
        # Rows of the operator are (window, class, box); the one class is left out.
        place = g.op("Gather", index, constant(torch.tensor([0, 2])), axis_i=1)
        zeros = g.op("Mul", score, constant(torch.tensor(0.0)))
        rows = g.op("Gather", g.op("Shape", place), constant(torch.tensor([0])), axis_i=0)
        ones = g.op("Expand", constant(torch.tensor([1.0])), rows)
        return g.op("ScatterND", zeros, place, ones)


def kept(boxes: Tensor, score: Tensor, *, iou: float) -> Tensor:
    """Say which boxes are left after greedy non-maximum suppression, window by window.

    Parameters
    ----------
    boxes : Tensor of float32, shape (n, b, 4)
        x1, y1, x2, y2.
    score : Tensor of float32, shape (n, b)
    iou : float
        Greatest overlap of two that both stay.

    Returns
    -------
    Tensor of float32, shape (n, b)
        1 or 0.
    """
    mask: Tensor = _Keep.apply(boxes, score, iou)
    return mask


def best(boxes: Tensor, score: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k boxes (or all, if fewer) of greatest score of every window, and the scores, descending."""
    k = min(k, score.shape[1])
    top, index = torch.topk(score, k, dim=1)
    return torch.gather(boxes, 1, index[..., None].expand(-1, -1, 4)), top


def points_of(boxes: Tensor, score: Tensor, *, iou: float, floor: float, top_k: int) -> Tensor:
    """Turn boxes into points.

    Parameters
    ----------
    boxes : Tensor of float32, shape (n, b, 4)
    score : Tensor of float32, shape (n, b)
    iou : float
        See `kept`.
    floor : float
        Boxes with a score not above it become empty slots.
    top_k : int
        Slots.

    Returns
    -------
    Tensor of float32, shape (n, top_k, 3)
        Centre and score, descending; empty slots have score 0.
    """
    # Padding with empty slots: a small window may have fewer boxes than are asked for.
    considered = 2 * top_k
    boxes = F.pad(boxes, (0, 0, 0, considered))
    score = F.pad(score, (0, considered))
    boxes, score = best(boxes, score, considered)
    score = score * (score > floor) * kept(boxes, score, iou=iou)
    boxes, score = best(boxes, score, top_k)
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    return torch.cat([centre, score[..., None]], 2)
