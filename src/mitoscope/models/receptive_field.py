"""The receptive field of a detector, computed exactly from its layers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from mitoscope.models.fcn_resnet import FcnResnet12, ResidualBlock
from mitoscope.models.points import SUPPRESSION_CELLS


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
