"""Classifiers of crops and regressors of tiles, on any backbone of timm by name."""

from __future__ import annotations

from typing import Final, Self

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.data.target import Batch
from mitoscope.errors import ConfigError
from mitoscope.models.config import ClassifierConfig, RegressorConfig
from mitoscope.models.family import Family, Layout, keep_norms, modules_as_stages
from mitoscope.models.normalise import Normalise, statistics
from mitoscope.models.pretrained import PRETRAINED, fetching, put_pretrained

_SEVERAL: Final = 5


def backbone(config: ClassifierConfig | RegressorConfig, outputs: int) -> nn.Module:
    """Return a network of timm with as many outputs.

    Raises
    ------
    ConfigError
        If timm has none of that name, naming similar ones; or the weights to begin with do not fit it or
        are not installed.
    TrainingDataError
        If the file of these weights is missing or another.
    """
    if not timm.is_model(config.backbone):
        similar = timm.list_models(f"{config.backbone[:6]}*")[:_SEVERAL]
        raise ConfigError(
            f"timm has no network {config.backbone!r}",
            where="model.backbone",
            mend=f"for example {', '.join(similar or ['resnet18', 'resnet50', 'efficientnet_b0'])}",
        )
    dropout = config.dropout if isinstance(config, ClassifierConfig) else 0.0
    with fetching():
        network: nn.Module = timm.create_model(
            config.backbone,
            pretrained=config.weights == "imagenet",
            num_classes=outputs,
            drop_rate=dropout,
        )
    if config.weights in PRETRAINED:
        put_pretrained(network, PRETRAINED[config.weights])
    return network


class _OnBackbone(Family):
    kind = "scores"

    def __init__(self, config: ClassifierConfig | RegressorConfig, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.patch_px, self.mpp = config.patch_px, config.mpp
        self.normalise = Normalise(*statistics(config.weights))
        self.network = backbone(config, outputs)

    def log_odds(self, windows: Tensor) -> Tensor:
        """Map windows, uint8 (n, h, w, 3), to float32 (n, outputs)."""
        raw: Tensor = self.network(self.planes(windows))
        return raw.float()

    def planes(self, windows: Tensor) -> Tensor:
        """Map windows to what the backbone sees, float32 (n, 3, h, w)."""
        normalised: Tensor = self.normalise(windows)
        return normalised

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each top layer of the backbone, and of its classifier."""
        classifier: nn.Module = self.network.get_classifier()  # type: ignore[operator]
        last = {id(parameter) for parameter in classifier.parameters()}
        body = [
            own
            for child in self.network.children()
            if (own := [p for p in child.parameters() if id(p) not in last])
        ]
        loose = list(self.network.parameters(recurse=False))
        return [*([loose] if loose else []), *body, *modules_as_stages(classifier)]

    def layout(self) -> Layout:
        """Return windows of one size, each scored as a whole."""
        return Layout(
            mpp=self.mpp, stride_px=1, halo_px=0, window_px=self.patch_px, any_window=False, top_k=0
        )


class Classifier(_OnBackbone):
    """A classifier: probabilities of the labels, the mitotic figure first.

    Parameters
    ----------
    config : ClassifierConfig
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config, len(config.labels))
        self.label_smoothing = config.label_smoothing
        self.frozen_norms = config.frozen_norms
        self.input_px = config.input_px

    def train(self, mode: bool = True) -> Self:
        """Set the mode; frozen norms stay in evaluation."""
        super().train(mode)
        if self.frozen_norms:
            keep_norms(self)
        return self

    def planes(self, windows: Tensor) -> Tensor:
        """Normalise crops, and resample them to the side that the network sees."""
        planes = super().planes(windows)
        if self.input_px is None:
            return planes
        side = (self.input_px, self.input_px)
        return F.interpolate(planes, size=side, mode="bilinear", align_corners=False)

    def loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(
            self.log_odds(batch.rgb), batch.score.long(), label_smoothing=self.label_smoothing
        )

    def exportable(self) -> nn.Module:
        """Return windows to probabilities (n, labels)."""
        return _Scores(self, nn.Softmax(dim=1))


class Regressor(_OnBackbone):
    """A regressor of the agreement on a tile, in [0, 1].

    Parameters
    ----------
    config : RegressorConfig
    """

    def __init__(self, config: RegressorConfig) -> None:
        super().__init__(config, 1)
        self.is_linear = config.output == "linear"

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error of the agreement."""
        raw = self.log_odds(batch.rgb)[:, 0]
        return F.mse_loss(raw if self.is_linear else torch.sigmoid(raw), batch.score)

    def exportable(self) -> nn.Module:
        """Return windows to agreements (n, 1)."""
        return _Scores(self, nn.Hardtanh(0.0, 1.0) if self.is_linear else nn.Sigmoid())


class _Scores(nn.Module):
    def __init__(self, family: _OnBackbone, last: nn.Module) -> None:
        super().__init__()
        self.family, self.last = family, last

    def forward(self, windows: Tensor) -> Tensor:
        scores: Tensor = self.last(self.family.log_odds(windows))
        return scores
