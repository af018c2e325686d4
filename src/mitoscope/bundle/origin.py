"""Where an imported network comes from, and how it speaks: what it takes, and what its outputs mean."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mitoscope.bundle.entries import ManifestEntry, Score, Sha256, Text

LayoutName = Literal[
    "torchvision",
    "yolo5",
    "yolo8",
    "yolo9",
    "yolo10",
    "yolo11",
    "yolo12",
    "yolo26",
    "detr",
    "rtdetr",
    "mmdet",
    "heatmap",
    "segmentation",
    "classifier",
]
Axes = Literal["nchw", "nhwc"]
BoxCoding = Literal["corners", "centre", "corner-size"]
BoxUnit = Literal["px", "fraction"]
Channels = Literal["rgb", "bgr"]
ScoreKind = Literal["probability", "sigmoid", "softmax"]
MaskRule = Literal["largest", "threshold"]
ComponentScore = Literal["mean", "max"]

Colour = tuple[float, float, float]


class Interface(ManifestEntry):
    """How a network from elsewhere speaks. All of it is inside the graph of the bundle.

    Parameters
    ----------
    layout : str
        Whose outputs they are; see `mitoscope.bundle.importing`.
    classes, figures : tuple of str
        What the outputs are called, in order, and which of them are mitotic figures.
    scores : {"probability", "sigmoid", "softmax"}
        What becomes of a score: nothing, or what makes a probability of log-odds.
    channels : {"rgb", "bgr"}
        Order of the colours that the network expects.
    axes : {"nchw", "nhwc"}
        Order of the axes of its input.
    pixel_max : {1, 255}
        What it calls white, before mean and deviation.
    mean, std : tuple of 3 float
        Of red, green and blue, in the same unit.
    input_px : int, optional
        Side to which windows are resized (bilinear) before the network; without it they are not.
    boxes : {"corners", "centre", "corner-size"}
        x, y, x, y; or x, y of the centre with width and height; or of the corner at the top left.
    box_unit : {"px", "fraction"}
        Of the network's input.
    iou : float, optional
        Overlap above which the lesser of two boxes of a class is left out; None: the network did that.
    distance_px : int
        Of a heat map: a peak is the highest within this distance along both axes, px of the map.
    level : float
        Of a segmentation: what a pixel of a component exceeds, where the mask goes by that.
    mask : {"largest", "threshold"}
        Of a segmentation: a pixel is of the class with the largest score, or of one above the level.
    connectivity : {4, 8}
        Which pixels of a component touch.
    component_score : {"mean", "max"}
        Which probability of a component's pixels is its score.
    area_px : int
        Smallest component, px of the map.
    outputs : dict of str to str
        Name of the network's output for each part of the layout.
    """

    layout: LayoutName
    classes: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000)]
    figures: Annotated[tuple[Text, ...], Field(min_length=1)]
    scores: ScoreKind
    channels: Channels = "rgb"
    axes: Axes = "nchw"
    pixel_max: Literal[1, 255] = 1
    mean: Colour = (0.0, 0.0, 0.0)
    std: Colour = (1.0, 1.0, 1.0)
    input_px: Annotated[int, Field(ge=16, le=8192)] | None = None
    boxes: BoxCoding = "corners"
    box_unit: BoxUnit = "px"
    iou: Annotated[float, Field(gt=0, le=1)] | None = None
    distance_px: Annotated[int, Field(ge=1, le=512)] = 1
    level: Score = 0.5
    mask: MaskRule = "largest"
    connectivity: Literal[4, 8] = 8
    component_score: ComponentScore = "mean"
    area_px: Annotated[int, Field(ge=1)] = 1
    outputs: Annotated[dict[Text, Text], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is named twice")
        if not set(self.figures) <= set(self.classes):
            raise ValueError("figures are classes of the network")
        if min(self.std) <= 0:
            raise ValueError("a deviation is above 0")
        return self

    @property
    def figure_columns(self) -> tuple[int, ...]:
        """Places of the figures among the classes."""
        return tuple(place for place, name in enumerate(self.classes) if name in self.figures)


class Origin(ManifestEntry):
    """Where an imported network comes from.

    Parameters
    ----------
    source : str
        Name of the file that was imported.
    sha256 : str
        Its hash.
    citation : str
        What its authors want cited.
    architecture : str, optional
        Of a state dict: the network into which it was loaded.
    interface : Interface
    """

    source: Text
    sha256: Sha256
    citation: Text
    architecture: Text | None = None
    interface: Interface
