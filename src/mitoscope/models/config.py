"""What a recipe says about its network: one strict table for each family."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mitoscope.config import Config
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE

Weights = Literal["random", "imagenet"]
"""Weights to begin with; those of ImageNet are fetched by torchvision or timm when they are asked for."""
ClassifierWeights = Weights | Literal["efficientnet-lite0", "efficientnet-lite2"]
"""Further ones come with packages of the extra ``pretrained`` (see `models.pretrained`)."""
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=16)]
Labels = Annotated[tuple[str, ...], Field(min_length=1)]


class _Network(Config):
    """What all networks have.

    Parameters
    ----------
    labels : tuple of str
        The classes that the network tells apart; the first is what it detects.
    mpp : float
        Resolution that it works at, µm/px.
    """

    labels: Labels = (MITOTIC_FIGURE.name,)
    mpp: Positive = 0.25

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label is named twice")
        return self


def _check_norms(weights: str, *, frozen: bool) -> None:
    if frozen and weights == "random":
        raise ValueError("frozen_norms needs weights to begin with: random ones have no statistics yet")


class DenseConfig(_Network):
    """What fully convolutional networks have, which score every place.

    Parameters
    ----------
    dropout : float
        Share of feature maps left out before the last layer while training.
    reduction : {1, 2}
        Side of the squares of training px that a px of the network is the mean of; with 2 it works, and is
        shipped, at twice `mpp` and costs a quarter: a first stage that proposes candidates.
    focal_gamma : float
        Exponent of the focal loss (Lin et al. 2017).
    figure_weight : float
        Weight of figures against background, 0.5 is even.
    """

    dropout: Share = 0.0
    reduction: Literal[1, 2] = 1
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0
    figure_weight: Share = 0.5


class FcnConfig(DenseConfig):
    """The fully convolutional network with 12 convolutions (Akram et al. 2018).

    Parameters
    ----------
    widths : tuple of 3 int
        Channels of its three stages; at least 16, below which torch's strided convolutions of 1 × 1 can
        crash in the backward pass on the CPU (seen with torch 2.15).
    """

    architecture: Literal["fcn-resnet12"]
    widths: tuple[Width, Width, Width] = (32, 64, 128)


class LiteFcnConfig(DenseConfig):
    """The early layers of EfficientNet-lite0 with a light head.

    Parameters
    ----------
    coarse_blocks : int
        Blocks at stride 16 beside all of those up to stride 8.
    head : int
        Channels in which the strides are joined.
    weights : {"random", "efficientnet-lite0"}
        To begin with.
    frozen_norms : bool
        Keep the statistics of batch normalisation at those of the weights to begin with.
    """

    architecture: Literal["fcn-lite0"]
    coarse_blocks: Annotated[int, Field(ge=1, le=3)] = 1
    head: Width = 64
    weights: Literal["random", "efficientnet-lite0"] = "random"
    frozen_norms: bool = False

    @model_validator(mode="after")
    def _norms_have_statistics(self) -> Self:
        _check_norms(self.weights, frozen=self.frozen_norms)
        return self


class RetinaNetConfig(_Network):
    """RetinaNet in the form of CCMCT, CMC and MIDOG++: one aspect ratio, heads on one pyramid level.

    Parameters
    ----------
    patch_px : int
        Side of a window.
    anchor_px : tuple of float
        Sides of the square anchors.
    channels : int
        Width of pyramid and heads.
    head_convolutions : int
        Convolutions of each head before its last.
    background_class : bool
        Whether background has a channel of its own, as in the published code; only the others count.
    weights : {"random", "imagenet"}
        Of the backbone.
    normalise : {"weights", "training"}
        By the statistics that fit the weights, or by `mean` and `deviation` of the tissue that is learnt
        from, which training fills in.
    mean, deviation : tuple of 3 float, optional
        Grey levels.
    score_floor : float
        Candidates below it are not given out.
    nms_iou : float
        Overlap at which the lesser of two boxes of a window is left out.
    """

    architecture: Literal["retinanet-resnet18"]
    patch_px: Annotated[int, Field(ge=64, multiple_of=32)] = 512
    anchor_px: Annotated[tuple[Positive, ...], Field(min_length=1)] = (38.4, 44.8, 51.2)
    channels: AtLeastOne = 128
    head_convolutions: AtLeastOne = 3
    background_class: bool = False
    weights: Weights = "random"
    normalise: Literal["weights", "training"] = "weights"
    mean: tuple[float, float, float] | None = None
    deviation: tuple[Positive, Positive, Positive] | None = None
    score_floor: Share = 0.05
    nms_iou: Share = 0.4


class FasterRcnnConfig(_Network):
    """Faster R-CNN with a ResNet-50 feature pyramid (torchvision), as in the crowd paper.

    Parameters
    ----------
    patch_px : int
        Side of a window.
    agreement_weighted : bool
        Multiply the cross-entropy of a box by the agreement on it (WL of the crowd paper).
    anchor_px : tuple of float
        Sides of the anchors, one for each of the five pyramid levels.
    regions : int
        Proposals of a window that the second stage learns from; torchvision takes 512 of large images.
    weights : {"random", "imagenet", "coco"}
        Of the backbone, or of torchvision's detector but for its last layers; random ones are trained with
        all layers and batch normalisation of their own.
    score_floor, nms_iou : float
        See `RetinaNetConfig`.
    """

    architecture: Literal["faster-rcnn-resnet50"]
    patch_px: Annotated[int, Field(ge=64, multiple_of=32)] = 256
    agreement_weighted: bool = False
    anchor_px: Annotated[tuple[Positive, ...], Field(min_length=5, max_length=5)] = (16, 32, 64, 128, 256)
    regions: AtLeastOne = 512
    weights: Weights | Literal["coco"] = "random"
    score_floor: Share = 0.05
    nms_iou: Share = 0.5


class ClassifierConfig(_Network):
    """A classifier of crops or tiles on any backbone of timm.

    Parameters
    ----------
    backbone : str
        Name in timm, for example ``resnet18``, ``resnet50``, ``efficientnet_b0``.
    patch_px : int
        Side of a crop.
    label_smoothing : float
    weights : {"random", "imagenet", "efficientnet-lite0", "efficientnet-lite2"}
        To begin with; the last two fit the backbones ``tf_efficientnet_lite0`` and ``tf_efficientnet_lite2``.
    input_px : int, optional
        Side to which a crop is resampled before the network sees it; by default that of the crop.
    dropout : float
        Share of the features left out before the last layer while training.
    frozen_norms : bool
        Keep the statistics of batch normalisation at those of the weights to begin with.
    """

    architecture: Literal["classifier"]
    labels: Labels = (MITOTIC_FIGURE.name, LOOK_ALIKE.name)
    backbone: str = "resnet18"
    patch_px: Annotated[int, Field(ge=32, le=1024)] = 128
    label_smoothing: Share = 0.0
    weights: ClassifierWeights = "random"
    input_px: Annotated[int, Field(ge=32, le=1024)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    frozen_norms: bool = False

    @model_validator(mode="after")
    def _two_classes_at_least(self) -> Self:
        if len(self.labels) < 2:
            raise ValueError("a classifier needs two labels at least")
        return self

    @model_validator(mode="after")
    def _norms_have_statistics(self) -> Self:
        _check_norms(self.weights, frozen=self.frozen_norms)
        return self


class RegressorConfig(_Network):
    """A regressor of the agreement on a tile, on any backbone of timm (crowd paper).

    Parameters
    ----------
    backbone, patch_px, weights
        See `ClassifierConfig`.
    output : {"sigmoid", "linear"}
        What stands between the last layer and the agreement; of a linear one scores are cut off at 0 and 1.
    """

    architecture: Literal["regressor"]
    backbone: str = "resnet50"
    patch_px: Annotated[int, Field(ge=32, le=1024)] = 250
    weights: Weights = "random"
    output: Literal["sigmoid", "linear"] = "sigmoid"


ModelConfig = Annotated[
    FcnConfig | LiteFcnConfig | RetinaNetConfig | FasterRcnnConfig | ClassifierConfig | RegressorConfig,
    Field(discriminator="architecture"),
]
"""The table ``[model]`` of a recipe."""
