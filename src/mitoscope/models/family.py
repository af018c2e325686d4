"""What every network can do, whatever its architecture: learn from a batch, and be exported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mitoscope.data.target import Batch


@dataclass(frozen=True, slots=True)
class Layout:
    """How windows have to lie for a network.

    Parameters
    ----------
    mpp : float
        Resolution, µm/px.
    stride_px : int
        Windows begin and end on multiples of it.
    halo_px : int
        What a point depends on beyond its own place. Exact for fully convolutional networks; for networks
        that see a whole window, the overlap within which a figure is seen whole.
    window_px : int
        Side of the default window.
    any_window : bool
        Whether windows may have another size.
    top_k : int
        Slots of the output; 0 for scores.
    cells : int
        Cells of a dense output along a stride.
    reduction : int
        A px of the network is the mean of so many px of the training fields in x and in y; what is stated
        here in px is in px of the network.
    cells : int
        Cells of a dense output along a stride.
    """

    mpp: float
    stride_px: int
    halo_px: int
    window_px: int
    any_window: bool
    top_k: int
    reduction: int = 1
    cells: int = 1

    @property
    def training_stride_px(self) -> int:
        """The stride in px of the training fields."""
        return self.stride_px * self.reduction

    @property
    def training_cell_px(self) -> int:
        """Side of a cell of a dense target, in px of the training fields."""
        return self.training_stride_px // self.cells


class Family(nn.Module, ABC):
    """A network in training.

    Attributes
    ----------
    kind : {"points", "scores"}
        Whether its windows become points with scores, or one row of scores each.
    outputs : int
        Columns of the output: 3 for points (x, y, score), the number of classes for classifiers, 1 for
        regressors.
    """

    kind: Literal["points", "scores"]
    outputs: int

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar."""

    @abstractmethod
    def stages(self) -> list[list[nn.Parameter]]:
        """Return all parameters, from the input to the head, each exactly once.

        The head alone is trained first where a recipe says so; the stages may learn at different rates.
        """

    @abstractmethod
    def exportable(self) -> nn.Module:
        """Return the network as it is shipped, sharing its weights.

        Returns
        -------
        Module
            Maps uint8 (n, h, w, 3) to points float32 (n, k, 3): x, y in window px and score, descending,
            unused slots 0; or to scores float32 (n, outputs).
        """

    @abstractmethod
    def layout(self) -> Layout:
        """Return how windows have to lie."""


def keep_norms(network: nn.Module) -> None:
    """Put batch normalisation into evaluation: its statistics stay what they are."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def modules_as_stages(*groups: nn.Module | list[nn.Module]) -> list[list[nn.Parameter]]:
    """Return the parameters of modules, one stage a group."""
    lists = [group if isinstance(group, list) else [group] for group in groups]
    return [[parameter for module in group for parameter in module.parameters()] for group in lists]
