"""The family of the fully convolutional network: dense targets, focal loss, points from local maxima."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.data.batch import Batch
from mitoscope.models.config import FcnConfig
from mitoscope.models.family import Family, Layout, modules_as_stages
from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.models.focal_loss import focal_loss
from mitoscope.models.points import TOP_K, PointDetector
from mitoscope.models.receptive_field import receptive_field

STRIDE_PX: Final = 8
"""Side of an output cell in px of the training windows."""
_WINDOW_PX: Final = 1024


class Fcn(Family):
    """See `FcnResnet12`.

    Parameters
    ----------
    config : FcnConfig
    """

    kind = "points"
    outputs = 3

    def __init__(self, config: FcnConfig) -> None:
        super().__init__()
        self.config = config
        stride_px = STRIDE_PX // config.reduction
        self.network = FcnResnet12(config.widths, dropout=config.dropout, stride_px=stride_px)

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

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of the stem, of the residual blocks and of the classifier."""
        network = self.network
        return modules_as_stages([network.stem, network.stem_norm], network.body, network.classifier)

    def exportable(self) -> PointDetector:
        """Return the network with its points."""
        return PointDetector(self.network, stride_px=self.layout().stride_px)

    def layout(self) -> Layout:
        """Return stride and halo as computed from the layers."""
        field = receptive_field(self.network)
        return Layout(
            mpp=self.config.mpp * self.config.reduction,
            stride_px=field.stride_px,
            halo_px=field.halo_px,
            window_px=_WINDOW_PX,
            any_window=True,
            top_k=TOP_K,
            reduction=self.config.reduction,
        )
