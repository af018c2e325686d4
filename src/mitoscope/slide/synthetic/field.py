"""A small synthetic field in memory: pixels and truth, no file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.mitoses import PHASES
from mitoscope.slide.synthetic.painter import Painter
from mitoscope.slide.synthetic.truth import Figure, Truth


def field_config(side_px: int = 1024, *, seed: int = 0) -> SyntheticSlideConfig:
    """Return the configuration of a square field that is all tissue and rich in figures."""
    return SyntheticSlideConfig.of(
        width=side_px,
        height=side_px,
        seed=seed,
        tissue_fraction=1.0,
        tumour_fraction=0.75,
        mitoses_per_mm2=120.0,
        hot_spot_mitoses_per_mm2=250.0,
        look_alikes_per_mm2=150.0,
        fat=False,
        necrosis=False,
        ink=False,
        dust=False,
        out_of_focus=False,
    )


def render_field(
    config: SyntheticSlideConfig | None = None, *, seed: int | None = None
) -> tuple[NDArray[np.uint8], Truth]:
    """Paint a whole slide into memory; meant for at most a few thousand pixels a side.

    Parameters
    ----------
    config : SyntheticSlideConfig, optional
        Default: a field of 1024 × 1024 px, all tissue, rich in figures (`field_config`).
    seed : int, optional
        Replaces the seed of the configuration.

    Returns
    -------
    rgb : ndarray of uint8, shape (height, width, 3)
    truth : Truth
    """
    chosen = field_config() if config is None else config
    if seed is not None:
        chosen = SyntheticSlideConfig.of(**(dict(chosen) | {"seed": seed}))
    painter = Painter(chosen)
    painted = painter.paint(BoxPx(0, 0, chosen.width, chosen.height))
    return painted.rgb, truth_of(painter, painted.tissue_px, image="field")


def truth_of(painter: Painter, tissue_px: int, *, image: str) -> Truth:
    """Return the truth of a painted slide with the given number of tissue pixels."""
    figures = []
    for placed in painter.placement.figures:
        sprite = placed.sprite(painter.bank)
        (dx, dy), (width, height) = sprite.centre_px, sprite.size_px
        label = MITOTIC_FIGURE.name if placed.name in PHASES else LOOK_ALIKE.name
        figures.append(Figure(placed.x_px0 + dx, placed.y_px0 + dy, label, placed.name, width, height))
    return Truth(
        image=image,
        config=painter.config,
        figures=tuple(sorted(figures, key=lambda f: (f.y_px0, f.x_px0))),
        hot_spot=painter.placement.hot_spot,
        tissue_area_mm2=tissue_px * (painter.config.mpp * 1e-3) ** 2,
        tumour_area_mm2=painter.placement.tumour_area_mm2,
    )
