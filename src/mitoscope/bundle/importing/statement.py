"""What is stated of a network, once, before it becomes a bundle."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from mitoscope.bundle.entries import F1, NOT_STATED, OperatingPoint
from mitoscope.bundle.manifest import NMS_RADIUS_UM, TrainingSource
from mitoscope.bundle.origin import LayoutName
from mitoscope.errors import ConfigError
from mitoscope.labels import FIELD_LABELS, is_figure

FLOOR: Final = 0.05
SLOTS: Final = 300
_HALO_PX: Final = 64
"""A figure of up to 50 px is seen whole, with its surroundings, in one of two neighbouring windows."""
UNNAMED_DATA: Final = NOT_STATED
_NOTHING: Final = "not stated"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the user states of a network from elsewhere.

    Parameters
    ----------
    layout : str
    mpp : float
        Resolution that it was trained at, µm/px.
    classes : tuple of str
        In the order of its outputs.
    licence : str
        Of the weights.
    training : tuple of TrainingSource
    citation : str
    figures : tuple of str
        Classes that are mitotic figures; by default those whose names say so.
    name, version, summary, architecture : str, optional
    mpp_min, mpp_max : float, optional
        Finest and coarsest slide; by default 0.1 and 0.6 µm/px, and the resolution itself.
    window_px : int, optional
        Side of a window at that resolution; by default what the network takes. Another one is resized.
    any_window : bool
        Windows of any size are the same to it.
    stride_px, receptive_px : int, optional
        Of its cells, and of what one of them sees; a window overlaps by half of that on each side.
    slots : int
        Points in a window.
    nms_radius_um : float
        Nearer points of one slide are one.
    floor, threshold : float
        Scores above are candidates, and figures.
    protocol, chosen_on : str
        Matching rule and data by which the threshold was chosen.
    interface : mapping
        Fields of `Interface` that differ from what is usual in the layout.
    """

    layout: LayoutName
    mpp: float
    classes: tuple[str, ...]
    licence: str
    training: tuple[TrainingSource, ...]
    citation: str
    figures: tuple[str, ...] = ()
    name: str | None = None
    version: str = "1.0.0"
    summary: str | None = None
    architecture: str | None = None
    mpp_min: float | None = None
    mpp_max: float | None = None
    window_px: int | None = None
    any_window: bool = False
    stride_px: int | None = None
    receptive_px: int | None = None
    slots: int = SLOTS
    nms_radius_um: float = NMS_RADIUS_UM
    floor: float = FLOOR
    threshold: float = 0.5
    protocol: str = "mitoscope"
    chosen_on: str = UNNAMED_DATA
    interface: Mapping[str, Any] = field(default_factory=dict)

    def named_figures(self) -> tuple[str, ...]:
        """Return the classes that are mitotic figures.

        Raises
        ------
        ConfigError
            If none is, or one is not among the classes.
        """
        figures = self.figures or tuple(name for name in self.classes if is_figure(name))
        listed = ", ".join(self.classes)
        if not figures:
            raise ConfigError(
                f"which class is the mitotic figure? There are: {listed}",
                where="--classes",
                mend="--figure NAME",
            )
        for name in figures:
            if name not in self.classes:
                raise ConfigError(f"no class {name!r}; there are: {listed}", where="--figure")
        return figures

    def canonical_classes(self) -> tuple[str, ...]:
        """Return what the field calls the classes, figures first, each name once."""
        figures = self.named_figures()
        ordered = (*figures, *(name for name in self.classes if name not in figures))
        return tuple(dict.fromkeys(FIELD_LABELS.canonical(name) for name in ordered))

    def halo_px(self, window_px: int, stride_px: int) -> int:
        """Return how far windows overlap on each side."""
        if self.receptive_px is not None:
            return -(-self.receptive_px // 2)
        return min(_HALO_PX, window_px // 4) // stride_px * stride_px

    def stride_of(self, window_px: int) -> int:
        """Return on which multiples windows begin."""
        return self.stride_px or math.gcd(window_px, 32 if self.any_window else 16)

    def point(self) -> OperatingPoint:
        """Return the operating point."""
        return OperatingPoint(
            name=F1,
            protocol=self.protocol,
            threshold=self.threshold,
            criterion="the authors' choice",
            chosen_on=self.chosen_on,
        )

    @classmethod
    def stating(cls, **values: Any) -> Self:
        """Return a statement of which nothing is empty.

        Raises
        ------
        ConfigError
            Naming all options that are missing.
        """
        wanted = {
            "layout": "--layout",
            "mpp": "--mpp",
            "classes": "--classes",
            "licence": "--licence",
            "training": "--training-data",
            "citation": "--citation",
        }
        if missing := [option for key, option in wanted.items() if not values.get(key)]:
            raise ConfigError(
                f"an imported network states its origin: {', '.join(missing)} missing",
                mend="give them; a result must state what made it",
            )
        return cls(**values)


def training_source(text: str) -> TrainingSource:
    """Return a data set of a text ``NAME; LICENCE; ATTRIBUTION``, of which the name alone must be there.

    Raises
    ------
    ConfigError
        If there is no name, or too much.

    Examples
    --------
    >>> training_source("MIDOG++; CC0-1.0").licence
    'CC0-1.0'
    """
    parts = [part.strip() for part in text.split(";", maxsplit=2)]
    if not parts[0]:
        raise ConfigError(
            f"no data set in {text!r}", where="--training-data", mend="NAME; LICENCE; ATTRIBUTION"
        )
    name, licence, attribution = (*parts, _NOTHING, _NOTHING)[:3]
    return TrainingSource(
        name=name, licence=licence or _NOTHING, attribution=attribution or _NOTHING, sha256=()
    )


def bundle_name(stem: str) -> str:
    """Return a file's name as that of a bundle."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", stem.casefold()).strip("-._")
    return plain[:64] or "imported"
