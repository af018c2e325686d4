"""Writes a synthetic slide: painted tile by tile, in bounded memory, with its truth beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import OutputError
from mitoscope.fsio import atomic_write
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.nuclei import PHASES
from mitoscope.slide.synthetic.painter import Painter
from mitoscope.slide.synthetic.pyramid import JpegTiff, encode_tile, reopened
from mitoscope.slide.synthetic.truth import PaintedFigure, PaintedTruth, truth_paths

Progress = Callable[[int, int], None]


def write_slide(
    path: Path, config: SyntheticSlideConfig, *, progress: Progress | None = None
) -> PaintedTruth:
    """Write a synthetic H&E slide as a pyramidal TIFF, and its truth beside it.

    Parameters
    ----------
    path : Path
        File to write, ``.tif`` or ``.tiff``; an earlier one is replaced when the new one is complete.
    config : SyntheticSlideConfig
    progress : callable, optional
        Called with the number of finished tiles of level 0 and their total.

    Returns
    -------
    PaintedTruth
        Also written as ``<stem>.truth.csv`` and ``<stem>.truth.json``.

    Raises
    ------
    OutputError
        If the name does not end in .tif or .tiff, or a file cannot be written; nothing is left behind then.

    Notes
    -----
    Same configuration, same bytes. Memory does not grow with the area of the slide.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError("a synthetic slide is a TIFF", where=path, mend="name it .tif or .tiff")
    if not path.parent.is_dir():
        raise OutputError("no such folder", where=path.parent, mend="create it or choose another --out")
    beside = truth_paths(path)
    # The blocks end in reverse: slide first, then its truth; all three are complete on disk by then.
    with atomic_write(beside[0]) as table, atomic_write(beside[1]) as summary, atomic_write(path) as stream:
        # A second handle on the same file that can also read: the header is completed at the end.
        with reopened(stream) as file:
            job, size = _SlidePainter(config), SizePx(config.width, config.height)
            tiff = JpegTiff(
                file, size=size, tile_px=config.tile_px, mpp=config.mpp, description=_description(config)
            )
            glass, quality = np.round(job.painter.stain.white).astype(np.uint8), config.jpeg_quality
            tiff.write(job.paint, quality=quality, glass=glass, folder=path.parent, progress=progress)
        truth = truth_of(job.painter, job.tissue_px, image=path.name)
        table.write(truth.to_csv().encode())
        summary.write(truth.to_json().encode())
    return truth


def _description(config: SyntheticSlideConfig) -> str:
    return (
        f"Synthetic H&E slide, not from a patient. Painted by mitoscope, seed {config.seed}, "
        f"{config.mpp:g} um/px, configuration {config.fingerprint()}"
    )


class _SlidePainter:
    """Paints a slide tile by tile, and counts the tissue on it."""

    def __init__(self, config: SyntheticSlideConfig) -> None:
        self.painter, self.tissue_px = Painter(config), 0
        self._tile_px, self._quality = config.tile_px, config.jpeg_quality
        self._glass: dict[tuple[int, int], bytes] = {}

    def paint(self, column: int, row: int) -> tuple[bytes, NDArray[np.uint8] | None]:
        side = self._tile_px
        box = BoxPx(column * side, row * side, side, side)
        if self.painter.is_glass(box):
            return self._glass_tile(box), None
        painted = self.painter.paint(box)
        self.tissue_px += painted.tissue_px
        return encode_tile(painted.rgb, self._quality), painted.rgb

    def _glass_tile(self, box: BoxPx) -> bytes:
        # The noise of the sensor repeats after 512 px, so that few different tiles of glass exist.
        key = (box.x % 512, box.y % 512)
        if key not in self._glass:
            self._glass[key] = encode_tile(self.painter.glass(box), self._quality)
        return self._glass[key]


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
) -> tuple[NDArray[np.uint8], PaintedTruth]:
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
    truth : PaintedTruth
    """
    chosen = field_config() if config is None else config
    if seed is not None:
        chosen = SyntheticSlideConfig.of(**(dict(chosen) | {"seed": seed}))
    painter = Painter(chosen)
    painted = painter.paint(BoxPx(0, 0, chosen.width, chosen.height))
    return painted.rgb, truth_of(painter, painted.tissue_px, image="field")


def truth_of(painter: Painter, tissue_px: int, *, image: str) -> PaintedTruth:
    """Return the truth of a painted slide with the given number of tissue pixels."""
    figures = []
    for placed in painter.placement.figures:
        sprite = placed.sprite(painter.bank)
        (dx, dy), (width, height) = sprite.centre_px, sprite.size_px
        label = MITOTIC_FIGURE.name if placed.name in PHASES else LOOK_ALIKE.name
        figures.append(PaintedFigure(placed.x_px0 + dx, placed.y_px0 + dy, label, placed.name, width, height))
    return PaintedTruth(
        image=image,
        config=painter.config,
        figures=tuple(sorted(figures, key=lambda f: (f.y_px0, f.x_px0))),
        hot_spot=painter.placement.hot_spot,
        tissue_area_mm2=tissue_px * (painter.config.mpp * 1e-3) ** 2,
        tumour_area_mm2=painter.placement.tumour_area_mm2,
    )
