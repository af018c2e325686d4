"""The density map: mitotic figures per mm² over the slide, as a picture of its own and inside the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mitoscope.count import Density
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.report import colours
from mitoscope.report.drawing import Frame, Rectangle, fit_frame
from mitoscope.report.images import Picture, encode, picture
from mitoscope.report.outline import place_outlines, tissue_path
from mitoscope.report.scale_bar import fit_scale_bar
from mitoscope.tissue import TissueMask

_MAP_SIDE_PX = 1200
_VIEW_SIDE_PX = 700
_OVERSAMPLING = 2
_MARGIN_PX = 32
_LEGEND_PX = 104
_LEGEND_WIDTH_MIN_PX = 860
_SCALE_WIDTH_PX = 300
_SHOWN_MAX_PX = (350.0, 300.0)
_GRID = "#d0d7de"
_TEXT = "#424a53"


@dataclass(frozen=True, slots=True)
class DensityView:
    """The density map on the page, in picture pixels."""

    picture: Picture
    width: float
    height: float
    unit: float
    tissue_path: str
    hot_spot: Rectangle | None
    gradient: list[tuple[float, str]]
    highest: str
    caption: str


def colour_density(grid: Density, tissue: TissueMask) -> NDArray[np.uint8]:
    """Return the map in colours, uint8, shape (h, w, 3): white beside the tissue and without figures."""
    highest = _highest(grid)
    share = grid.per_mm2 / highest if highest > 0 else grid.per_mm2
    rgb = colours.density_colours()[np.round(share * 255).astype(np.intp)]
    # The scale begins pale; below half a step nothing is drawn, so that paper stays white.
    rgb[(share * 255 < 0.5) | ~_on_tissue(grid, tissue)] = 255
    return rgb


def _highest(grid: Density) -> float:
    return float(grid.per_mm2.max(initial=0.0))


def _on_tissue(grid: Density, tissue: TissueMask) -> NDArray[np.bool_]:
    """Say of each cell whether its centre lies on tissue, shape (h, w)."""
    rows, columns = np.indices(grid.per_mm2.shape)
    centres = (np.column_stack([columns.ravel(), rows.ravel()]) + 0.5) * grid.cell_px0
    return tissue.contains(centres).reshape(grid.per_mm2.shape)


def draw_density_map(
    grid: Density,
    mpp: Mpp,
    *,
    tissue: TissueMask,
    hot_spot: BoxPx0 | None,
    gaps: tuple[BoxPx0, ...],
    hot_spot_label: str,
) -> bytes:
    """Return the density map as a PNG with outline, hot spot, legend and a scale bar in mm.

    Parameters
    ----------
    grid : Density
        What to draw.
    mpp : Mpp
        Resolution of level 0.
    tissue : TissueMask
        Drawn as an outline; nothing is drawn beside it.
    hot_spot : BoxPx0 or None
        Drawn as a rectangle.
    gaps : tuple of BoxPx0
        What could not be read; crossed out.
    hot_spot_label : str
        Stands beside the rectangle in the legend.
    """
    width, height = _map_size(grid, mpp, side_px=_MAP_SIDE_PX)
    # Drawn at twice the size and reduced, for smooth lines.
    frame = Frame(grid.box_px0, width * _OVERSAMPLING, height * _OVERSAMPLING, mpp, width)
    drawn = _draw_map(grid, frame, tissue=tissue, hot_spot=hot_spot, gaps=gaps)
    sheet = Image.new(
        "RGB",
        (max(width, _LEGEND_WIDTH_MIN_PX) + 2 * _MARGIN_PX, height + 2 * _MARGIN_PX + _LEGEND_PX),
        "white",
    )
    sheet.paste(drawn.resize((width, height), Image.Resampling.BOX), (_MARGIN_PX, _MARGIN_PX))
    _draw_legend(sheet, grid, frame, hot_spot_label=hot_spot_label if hot_spot is not None else "")
    return encode(np.asarray(sheet), encoding="png")


def view_density(
    grid: Density, mpp: Mpp, *, tissue: TissueMask, hot_spot: BoxPx0 | None, caption: str
) -> DensityView:
    """Lay out the density map for the page.

    Parameters
    ----------
    grid, mpp, tissue, hot_spot
        As for `draw_density_map`.
    caption : str
        Stands below the map.
    """
    size = _map_size(grid, mpp, side_px=_VIEW_SIDE_PX)
    frame = fit_frame(grid.box_px0, mpp, picture_px=size, shown_max=_SHOWN_MAX_PX)
    smooth = Image.fromarray(colour_density(grid, tissue)).resize(size, Image.Resampling.BILINEAR)
    return DensityView(
        picture=picture(np.asarray(smooth), quality=90),
        width=frame.width,
        height=frame.height,
        unit=frame.unit,
        tissue_path=tissue_path(tissue, frame),
        hot_spot=None if hot_spot is None else frame.place_box(hot_spot),
        gradient=colours.density_gradient(),
        highest=f"{_highest(grid):.3g}",
        caption=caption,
    )


def _map_size(grid: Density, mpp: Mpp, *, side_px: int) -> tuple[int, int]:
    width_um, height_um = grid.box_px0.width * mpp.x, grid.box_px0.height * mpp.y
    scale = side_px / max(width_um, height_um)
    return max(1, round(width_um * scale)), max(1, round(height_um * scale))


def _draw_map(
    grid: Density,
    frame: Frame,
    *,
    tissue: TissueMask,
    hot_spot: BoxPx0 | None,
    gaps: tuple[BoxPx0, ...],
) -> Image.Image:
    size = (round(frame.width), round(frame.height))
    image = Image.fromarray(colour_density(grid, tissue)).resize(size, Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(image)
    for outline in place_outlines(tissue, frame):
        closed = [(x, y) for x, y in np.vstack([outline, outline[:1]]).tolist()]
        pen.line(closed, fill=colours.TISSUE, width=round(1.4 * _OVERSAMPLING))
    for gap in frame.place_boxes(gaps):
        _cross_out(pen, gap)
    if hot_spot is not None and (placed := frame.place_box(hot_spot)) is not None:
        corners = (placed.x, placed.y, placed.x + placed.width, placed.y + placed.height)
        pen.rectangle(corners, outline="white", width=7 * _OVERSAMPLING)
        inner = tuple(np.add(corners, np.array([1, 1, -1, -1]) * 1.5 * _OVERSAMPLING).tolist())
        if inner[0] < inner[2] and inner[1] < inner[3]:
            pen.rectangle(inner, outline=colours.HOT_SPOT, width=4 * _OVERSAMPLING)
    pen.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=_GRID, width=_OVERSAMPLING)
    return image


def _cross_out(pen: ImageDraw.ImageDraw, gap: Rectangle) -> None:
    right, bottom = gap.x + gap.width, gap.y + gap.height
    pen.rectangle((gap.x, gap.y, right, bottom), outline=colours.GAP, width=2 * _OVERSAMPLING)
    pen.line((gap.x, gap.y, right, bottom), fill=colours.GAP, width=2 * _OVERSAMPLING)
    pen.line((gap.x, bottom, right, gap.y), fill=colours.GAP, width=2 * _OVERSAMPLING)


def _draw_legend(sheet: Image.Image, grid: Density, frame: Frame, *, hot_spot_label: str) -> None:
    pen = ImageDraw.Draw(sheet)
    small, bold = _font(17), _font(18)
    left, top = _MARGIN_PX, sheet.height - _MARGIN_PX - _LEGEND_PX + 30
    scale = Image.fromarray(colours.density_colours()[None]).resize((_SCALE_WIDTH_PX, 18))
    sheet.paste(scale, (left, top + 26))
    pen.rectangle((left, top + 26, left + _SCALE_WIDTH_PX, top + 44), outline=_GRID)
    _write(pen, (left, top), "mitotic figures per mm²", font=bold)
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        value = f"{_highest(grid) * share:.3g}"
        pen.text((left + share * _SCALE_WIDTH_PX, top + 50), value, font=small, fill=_TEXT, anchor=anchor)
    _draw_scale_bar(pen, frame, right=sheet.width - _MARGIN_PX, top=top)
    if hot_spot_label:
        x = left + _SCALE_WIDTH_PX + 48
        pen.rectangle((x, top + 24, x + 34, top + 46), outline=colours.HOT_SPOT, width=4)
        _write(pen, (x + 46, top + 24), hot_spot_label, font=small)


def _draw_scale_bar(pen: ImageDraw.ImageDraw, frame: Frame, *, right: int, top: int) -> None:
    bar = fit_scale_bar(frame.box.width * frame.mpp.x, share=0.2)
    length = bar.length_um / frame.mpp.x * frame.px_per_px0_x / _OVERSAMPLING
    pen.rectangle((right - length, top + 32, right, top + 37), fill=colours.INK)
    pen.text(
        (right - length / 2, top + 22),
        bar.label_mm,
        font=_font(18),
        fill=colours.INK,
        anchor="ms",
    )


def _write(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, *, font: ImageFont.FreeTypeFont
) -> None:
    """Write a line; Pillow's own font has no superscript two, so it is set small and high."""
    x, y = at
    for index, part in enumerate(text.split("²")):
        if index:
            small = _font(font.size * 0.62)
            pen.text((x, y - 1), "2", font=small, fill=colours.INK)
            x += pen.textlength("2", font=small)
        pen.text((x, y), part, font=font, fill=colours.INK)
        x += pen.textlength(part, font=font)


def _font(size: float) -> ImageFont.FreeTypeFont:
    """Return Pillow's own typeface, the same on every machine."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's wheels all have FreeType
    return font
