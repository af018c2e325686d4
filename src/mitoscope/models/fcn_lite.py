"""The early layers of EfficientNet-lite0 as a fully convolutional detector.

They may begin with what they learnt on ImageNet. All blocks up to stride 8 and some at stride 16 are kept;
their maps at strides 4, 8 and 16 are joined at stride 8, where each place gives one value for each of its
cells. Windows are padded alike on all sides instead of TensorFlow's way, which moves the grid by less than a
cell and needs no size known beforehand. As in `FcnResnet12` every operation has a bounded receptive field,
so tiling cannot change a point (promise 16).
"""

from __future__ import annotations

from typing import Any, Final, Self

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.models.config import LiteFcnConfig
from mitoscope.models.family import Layout, keep_norms, modules_as_stages
from mitoscope.models.fcn import PRIOR, STRIDE_PX, SUPPRESSION_CELLS, TOP_K, WINDOW_PX, Dense
from mitoscope.models.normalise import Normalise, statistics
from mitoscope.models.pretrained import PRETRAINED, put_pretrained

COARSE_STRIDE_PX: Final = 16
"""Windows begin and end on multiples of it, px of the network."""
_TF_EPSILON: Final = 1e-3
_CHANNELS: Final = (24, 40, 80)
"""At strides 4, 8 and 16."""


class Lite0(nn.Module):
    """The network: windows to a map of log-odds, one value a cell.

    Parameters
    ----------
    config : LiteFcnConfig
    """

    def __init__(self, config: LiteFcnConfig) -> None:
        super().__init__()
        whole: Any = timm.create_model("efficientnet_lite0", bn_eps=_TF_EPSILON)
        if config.weights in PRETRAINED:
            put_pretrained(whole, PRETRAINED[config.weights])
        first, second, third, fourth = list(whole.blocks)[:4]
        self.normalise = Normalise(*statistics(config.weights))
        self.stem = nn.Sequential(whole.conv_stem, whole.bn1)
        self.fine = nn.Sequential(*first, *second)
        self.middle = nn.Sequential(*third)
        self.coarse = nn.Sequential(*list(fourth)[: config.coarse_blocks])
        self.cells = config.reduction
        fine, middle, coarse = _CHANNELS
        self.from_fine = nn.Conv2d(fine, config.head, 2, 2)
        self.from_middle = nn.Conv2d(middle, config.head, 1)
        self.from_coarse = nn.Conv2d(coarse, config.head, 1)
        self.mix = nn.Conv2d(config.head, config.head, 1)
        self.dropout = nn.Dropout2d(config.dropout)
        self.classifier = nn.Conv2d(config.head, self.cells**2, 1)
        nn.init.constant_(torch.as_tensor(self.classifier.bias), PRIOR)

    def forward(self, windows: Tensor) -> Tensor:
        """Map RGB windows, grey levels 0 to 255 (n, h, w, 3), to log-odds (n, h / cell, w / cell).

        Notes
        -----
        Height and width are multiples of `COARSE_STRIDE_PX`.
        """
        fine = self.fine(self.stem(self.normalise(windows)))
        middle = self.middle(fine)
        coarse = F.interpolate(self.from_coarse(self.coarse(middle)), scale_factor=2.0, mode="nearest")
        joined = F.relu6(self.from_fine(fine) + self.from_middle(middle) + coarse)
        log_odds = self.classifier(self.dropout(F.relu6(self.mix(joined))))
        return F.pixel_shuffle(log_odds, self.cells)[:, 0]


def reach_px(network: Lite0) -> tuple[int, int]:
    """Return how far before and beyond where a cell begins it sees at most, in px.

    Notes
    -----
    The longest path leads through the coarse blocks. Of the cells that share a place there, the last begins
    furthest from where the place does.
    """
    stride, before, after = 1, 0, 0
    for module in nn.Sequential(network.stem, network.fine, network.middle, network.coarse).modules():
        if isinstance(module, nn.Conv2d):
            kernel, padding = int(module.kernel_size[0]), int(module.padding[0])
            before += padding * stride
            after += (kernel - 1 - padding) * stride
            stride *= int(module.stride[0])
    return before + stride - STRIDE_PX // network.cells, after


class LiteFcn(Dense):
    """See `Lite0`.

    Parameters
    ----------
    config : LiteFcnConfig
    """

    network: Lite0

    def __init__(self, config: LiteFcnConfig) -> None:
        super().__init__(config, Lite0(config))
        self.frozen_norms = config.frozen_norms

    def train(self, mode: bool = True) -> Self:
        """Set the mode; frozen norms stay in evaluation."""
        super().train(mode)
        if self.frozen_norms:
            keep_norms(self)
        return self

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of the stem, of the blocks, and of all that is new."""
        own = self.network
        new: list[nn.Module] = [own.from_fine, own.from_middle, own.from_coarse, own.mix, own.classifier]
        return modules_as_stages(own.stem, own.fine, own.middle, own.coarse, new)

    def layout(self) -> Layout:
        """Return stride and halo as computed from the layers."""
        cell_px = STRIDE_PX // self.network.cells
        return Layout(
            mpp=self.config.mpp * self.config.reduction,
            stride_px=COARSE_STRIDE_PX,
            halo_px=max(reach_px(self.network)) + (SUPPRESSION_CELLS + 1) * cell_px,
            window_px=WINDOW_PX,
            any_window=True,
            top_k=TOP_K,
            reduction=self.config.reduction,
            cells=COARSE_STRIDE_PX // cell_px,
        )
