"""The fully convolutional detector of 12 convolutions (Akram et al. 2018, section 2): network, loss, points.

Convolutions 1 (stem) + 5 residual blocks × 2 + 1 (classifier) = 12; the 1 × 1 projections on the shortcuts
where the shape changes are not counted, as is the custom for residual networks. Every operation has a bounded
receptive field, which is computed here exactly from the layers: no global pooling, no squeeze-and-excitation,
no attention. So a point depends on its surroundings only, and tiling cannot change it (promise 16). Targets
are dense, the loss is focal, points are local maxima of the map of log-odds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.data.target import BACKGROUND, FIGURE, Batch
from mitoscope.models.config import DenseConfig, FcnConfig
from mitoscope.models.family import Family, Layout, modules_as_stages

MEAN: Final = (180.0, 180.0, 180.0)
DEVIATION: Final = (50.0, 50.0, 50.0)
"""Normalisation of grey levels 0 to 255; about the mean and spread of stained tissue."""
PRIOR: Final = -4.0
"""Initial log-odds of a figure, so that the first steps are not spent on unlearning it (focal-loss paper)."""
TOP_K: Final = 256
"""Points a window can have; a window of 1024 px has 16384 cells and rarely 50 candidates."""
SUPPRESSION_CELLS: Final = 1
"""A point is the maximum of its 3 × 3 cells: a local operation, so tiling cannot change it."""
STRIDE_PX: Final = 8
"""Side of an output cell in px of the training windows."""
WINDOW_PX: Final = 1024


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with a shortcut.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        Of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, planes: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        inner = F.relu(self.first_norm(self.first(planes)))
        return F.relu(self.second_norm(self.second(inner)) + self.shortcut(planes))


class FcnResnet12(nn.Module):
    """The network: windows to a map of log-odds, one value a cell.

    Parameters
    ----------
    widths : tuple of 3 int
        Channels at strides 2, 4 and `stride_px`.
    dropout : float
        Share of feature maps left out before the classifier while training.
    stride_px : {4, 8}
        Side of an output cell in window px; with 4 the last stage keeps the stride of the one before.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, widths: tuple[int, int, int] = (32, 64, 128), *, dropout: float = 0.0, stride_px: int = 8
    ) -> None:
        super().__init__()
        narrow, middle, wide = widths
        self.stem = nn.Conv2d(3, narrow, 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(narrow)
        self.body = nn.Sequential(
            ResidualBlock(narrow, middle, stride=2),
            ResidualBlock(middle, middle, stride=1),
            ResidualBlock(middle, wide, stride=stride_px // 4),
            ResidualBlock(wide, wide, stride=1),
            ResidualBlock(wide, wide, stride=1),
        )
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(wide, 1, 1)
        nn.init.constant_(torch.as_tensor(self.classifier.bias), PRIOR)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Map RGB windows, grey levels 0 to 255 (n, h, w, 3), to log-odds (n, h / stride, w / stride).

        Notes
        -----
        Height and width are multiples of the stride.
        """
        planes = (windows.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        planes = F.relu(self.stem_norm(self.stem(planes)))
        log_odds: Tensor = self.classifier(self.dropout(self.body(planes)))
        return log_odds[:, 0]


class PointDetector(nn.Module):
    """A network with its points: local maxima, the best K, refined below the cell.

    Parameters
    ----------
    network : Module
        Windows uint8 (n, h, w, 3) to log-odds (n, rows, columns).
    stride_px : int
        Side of a cell.
    top_k : int
        Slots of the output.
    """

    def __init__(self, network: nn.Module, *, stride_px: int, top_k: int = TOP_K) -> None:
        super().__init__()
        self.network = network
        self.stride_px = stride_px
        self.top_k = top_k

    def forward(self, windows: Tensor) -> Tensor:
        """Map windows, uint8 (n, h, w, 3), to points (n, k, 3): x, y in window px and score, descending."""
        return self.points(torch.sigmoid(self.network(windows).float()))

    def points(self, score: Tensor) -> Tensor:
        """Map scores in [0, 1], (n, rows, columns), to points (n, k, 3).

        Notes
        -----
        A cell is a candidate if no cell around it has a greater score. The place is the mean of the 3 × 3
        cell centres weighted with their scores. A graph's slots beyond the number of candidates have score 0.
        """
        planes = score[:, None]
        peak = F.max_pool2d(planes, 3, 1, 1)
        candidate = torch.where(planes >= peak, planes, torch.zeros_like(planes))
        shift_x, shift_y = self._shifts(planes)
        rows, columns = planes.shape[2], planes.shape[3]
        # Padding with empty slots: a small window may have fewer cells than slots.
        flat = F.pad(candidate.reshape(-1, rows * columns), (0, self.top_k))
        best, index = torch.topk(flat, self.top_k, dim=1)
        place = torch.clamp(index, max=rows * columns - 1)
        row = torch.div(place, columns, rounding_mode="floor")
        column = place - row * columns
        x = column.float() + 0.5 + torch.gather(shift_x.reshape(-1, rows * columns), 1, place)
        y = row.float() + 0.5 + torch.gather(shift_y.reshape(-1, rows * columns), 1, place)
        return torch.stack([x * self.stride_px, y * self.stride_px, best], 2)

    @staticmethod
    def _shifts(planes: Tensor) -> tuple[Tensor, Tensor]:
        step = torch.tensor([-1.0, 0.0, 1.0], dtype=planes.dtype, device=planes.device)
        ones = torch.ones_like(step)
        kernels = torch.stack([ones[:, None] * step, step[:, None] * ones, ones[:, None] * ones])
        sums = F.conv2d(planes, kernels[:, None], padding=1)
        mass = sums[:, 2].clamp_min(1e-6)
        return sums[:, 0] / mass, sums[:, 1] / mass


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What an output cell sees.

    Parameters
    ----------
    stride_px : int
        Distance of neighbouring cells in window px.
    before_px, after_px : int
        Cell i sees the pixels from ``i * stride - before`` to ``i * stride + after``, both included.
    """

    stride_px: int
    before_px: int
    after_px: int

    @property
    def size_px(self) -> int:
        """Side of the receptive field in px."""
        return self.before_px + self.after_px + 1

    @property
    def halo_px(self) -> int:
        """What a point depends on beyond its own place, in px.

        A point in cell i is there because of the cells around it, and lies up to one and a half cells from
        where cell i begins.
        """
        around = (SUPPRESSION_CELLS + 1) * self.stride_px
        return max(self.before_px, self.after_px) + around


def receptive_field(network: FcnResnet12) -> ReceptiveField:
    """Compute the receptive field of the network's longest path."""
    convolutions: list[nn.Conv2d] = [network.stem]
    for block in network.body:
        if isinstance(block, ResidualBlock):
            convolutions += [block.first, block.second]
    convolutions.append(network.classifier)
    stride, before, after = 1, 0, 0
    for convolution in convolutions:
        kernel, padding = int(convolution.kernel_size[0]), int(convolution.padding[0])
        before += padding * stride
        after += (kernel - 1 - padding) * stride
        stride *= int(convolution.stride[0])
    return ReceptiveField(stride, before, after)


def focal_loss(log_odds: Tensor, target: Tensor, *, gamma: float, figure_weight: float) -> Tensor:
    """Return the focal loss (Lin et al. 2017), summed over cells and divided by the number of figure cells.

    Parameters
    ----------
    log_odds : Tensor of float, shape (n, rows, columns)
    target : Tensor of int8, same shape
        1 figure, 0 background; everything else does not count.
    gamma : float
        How much easy cells are played down.
    figure_weight : float
        Weight of figure cells; background has one minus it.
    """
    score = torch.sigmoid(log_odds)
    figure, background = target == FIGURE, target == BACKGROUND
    missed = ((1 - score) ** gamma * F.softplus(-log_odds))[figure].sum()
    invented = (score**gamma * F.softplus(log_odds))[background].sum()
    total = figure_weight * missed + (1 - figure_weight) * invented
    return 2 * total / figure.sum().clamp_min(1)


class Dense(Family):
    """A network that maps windows to log-odds, one value a cell of `STRIDE_PX` px of the training windows.

    Parameters
    ----------
    config : DenseConfig
    network : Module
        At the resolution of the network, see `DenseConfig`.
    """

    kind = "points"
    outputs = 3

    def __init__(self, config: DenseConfig, network: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.network = network

    def loss(self, batch: Batch) -> Tensor:
        """Return the focal loss over the cells of the windows."""
        if batch.cells is None:
            raise ValueError("dense targets expected; the sampling scheme draws them with `cells`")
        log_odds = self.network(self._reduced(batch.rgb)).float()
        gamma, weight = self.config.focal_gamma, self.config.figure_weight
        return focal_loss(log_odds, batch.cells, gamma=gamma, figure_weight=weight)

    def _reduced(self, windows: Tensor) -> Tensor:
        """Return windows (n, h, w, 3) at the resolution of the network."""
        side = self.config.reduction
        if side == 1:
            return windows
        return F.avg_pool2d(windows.permute(0, 3, 1, 2).float(), side).permute(0, 2, 3, 1)

    def exportable(self) -> PointDetector:
        """Return the network with its points."""
        return PointDetector(self.network, stride_px=STRIDE_PX // self.config.reduction)


class Fcn(Dense):
    """See `FcnResnet12`.

    Parameters
    ----------
    config : FcnConfig
    """

    network: FcnResnet12

    def __init__(self, config: FcnConfig) -> None:
        stride_px = STRIDE_PX // config.reduction
        super().__init__(config, FcnResnet12(config.widths, dropout=config.dropout, stride_px=stride_px))

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of the stem, of the residual blocks and of the classifier."""
        network = self.network
        return modules_as_stages([network.stem, network.stem_norm], network.body, network.classifier)

    def layout(self) -> Layout:
        """Return stride and halo as computed from the layers."""
        field = receptive_field(self.network)
        return Layout(
            mpp=self.config.mpp * self.config.reduction,
            stride_px=field.stride_px,
            halo_px=field.halo_px,
            window_px=WINDOW_PX,
            any_window=True,
            top_k=TOP_K,
            reduction=self.config.reduction,
        )
