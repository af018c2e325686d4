"""Slides as a reader of a notebook sees them: whole, with what was found on them, and crops of cells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import SlideReadError
from mitoscope.figure import FIGURE, HOT_SPOT, INK, PALE, axes_for, style
from mitoscope.geometry import BoxPx, BoxPx0, Mpp
from mitoscope.notebook import ROWS_SHOWN, facts, picture_of, table
from mitoscope.slide.opening import open_slide
from mitoscope.slide.plane import Plane, read_thumbnail
from mitoscope.slide.slide import Slide
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_PX: Final = 1400
"""Longer side of the picture behind a plot."""
THUMBNAIL_PX: Final = 280
"""Longer side of the picture beside the facts of a slide."""
_BARS_UM: Final = tuple(step * 10**power for power in range(6) for step in (1, 2, 5))
_CROP_PX: Final = 128


@contextmanager
def opened(slide: Slide | str | Path, *, mpp: Mpp | None = None) -> Iterator[Slide]:
    """Yield a slide: one that is open as it is, a file opened for the time of the block.

    Parameters
    ----------
    slide : Slide, str or Path
    mpp : Mpp, optional
        Resolution of a file that states none.
    """
    if isinstance(slide, Slide):
        yield slide
        return
    with open_slide(slide, mpp=None if mpp is None else mpp.mean) as reader:
        yield reader


def slide_html(slide: Slide) -> str:
    """Return a slide as HTML: its picture, size, resolution and levels; no picture once it is closed."""
    info = slide.info
    width, height = info.size.width, info.size.height
    try:
        picture = picture_of(read_thumbnail(slide, THUMBNAIL_PX).rgb, alt=info.name)
    except SlideReadError:
        picture = ""
    mm = f" ({width * info.mpp.x / 1000:.1f} × {height * info.mpp.y / 1000:.1f} mm)"
    rows: list[tuple[str, object]] = [
        ("size", f"{width:,} × {height:,} px{mm}"),
        ("resolution", f"{info.mpp.mean:.4g} µm/px ({info.mpp_source})"),
        ("objective", None if info.objective_power is None else f"{info.objective_power:g}×"),
        ("levels", ", ".join(f"{level.downsample_x:g}×" for level in info.levels)),
        ("reader", info.reader),
        ("scanner file", info.vendor),
    ]
    return facts(info.name, rows, picture=picture, notes=info.notes)


@style()
def plot_slide(slide: Slide | str | Path, ax: Axes | None = None, *, mpp: Mpp | None = None) -> Axes:
    """Draw a slide as a whole, in level-0 pixels, with a scale bar."""
    with opened(slide, mpp=mpp) as pixels:
        info, rgb = pixels.info, read_thumbnail(pixels, PICTURE_PX).rgb
    width, height = info.size.width, info.size.height
    axes = axes_for(ax, aspect=height / width)
    axes.imshow(rgb, extent=(0, width, height, 0), interpolation="antialiased")
    _frame(axes, width, height)
    _scale_bar(axes, width, height, info.mpp)
    axes.set_title(info.name)
    return axes


@style()
def plot_detections(
    found: Detections,
    slide: Slide | str | Path | None = None,
    ax: Axes | None = None,
    *,
    hot_spot: BoxPx0 | None = None,
) -> Axes:
    """Draw where detections lie: figures yellow, candidates at or below the threshold pale and small."""
    searched = found.searched
    if slide is not None:
        axes = plot_slide(slide, ax, mpp=searched.mpp)
    else:
        last = found.points_px0.max(axis=0, initial=1.0)
        size = searched.size
        width, height = (last[0], last[1]) if size is None else (size.width, size.height)
        axes = axes_for(ax, aspect=height / width)
        _frame(axes, width, height)
        if searched.mpp is not None:
            _scale_bar(axes, width, height, searched.mpp)
        if searched.origin:
            axes.set_title(searched.origin)
    is_figure = np.ones(len(found), np.bool_)
    if searched.threshold is not None:
        is_figure = found.score > searched.threshold
    below, above = found.points_px0[~is_figure], found.points_px0[is_figure]
    if len(below):
        axes.scatter(
            below[:, 0],
            below[:, 1],
            s=5,
            color=PALE,
            edgecolors=INK,
            linewidths=0.3,
            label=_number(below, "candidate"),
        )
    if len(above):
        axes.scatter(
            above[:, 0],
            above[:, 1],
            s=16,
            color=FIGURE,
            edgecolors=INK,
            linewidths=0.7,
            label=_number(above, "figure"),
        )
    if hot_spot is not None:
        _draw_box(axes, hot_spot, "hot spot")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=3, borderaxespad=0.4)
    return axes


@style()
def plot_crops(
    found: Detections,
    slide: Slide | str | Path,
    *,
    n: int = 12,
    side_um: float = 32.0,
    columns: int = 6,
) -> NDArray[Any]:
    """Draw the detections of highest score, each in the middle of a crop, with its score.

    Returns
    -------
    ndarray of Axes, shape (rows, columns)
        Those that stay empty are invisible.
    """
    import matplotlib.pyplot as plt

    shown = found.sort().take(np.arange(min(n, len(found))))
    columns = max(1, min(columns, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    _, axes = plt.subplots(
        rows, columns, squeeze=False, layout="constrained", figsize=(1.35 * columns, 1.55 * rows)
    )
    for one in axes.flat:
        one.set_axis_off()
    with opened(slide, mpp=found.searched.mpp) as pixels:
        plane = Plane(pixels, side_um / _CROP_PX)
        scale_x, scale_y = plane.scale
        for one, (x, y), score in zip(
            axes.flat, shown.points_px0.tolist(), shown.score.tolist(), strict=False
        ):
            left, top = round(x / scale_x - _CROP_PX / 2), round(y / scale_y - _CROP_PX / 2)
            one.imshow(plane.read(BoxPx(left, top, _CROP_PX, _CROP_PX)).rgb)
            one.set_title(f"{score:.2f}", fontsize=8, pad=2, loc="center")
    return axes


def detections_html(found: Detections) -> str:
    """Return the first detections as an HTML table under one line of what was searched."""
    searched = found.searched
    parts = [say_number(len(found), "detection")]
    if searched.threshold is not None:
        figures = int((found.score > searched.threshold).sum())
        share = "all" if figures == len(found) else f"{figures:,}"
        parts[0] += f", {share} above the threshold {searched.threshold:.3g},"
    parts += [f"on {searched.origin}"] if searched.origin else []
    parts += [f"at {searched.mpp.mean:.4g} µm/px"] if searched.mpp is not None else []
    first = found.take(np.arange(min(ROWS_SHOWN, len(found))))
    columns = (first.x_px0, first.y_px0, first.score, first.stated_label, first.source)
    rows = [
        (f"{x:.1f}", f"{y:.1f}", f"{score:.3f}", label, source)
        for x, y, score, label, source in zip(*(column.tolist() for column in columns), strict=True)
    ]
    names = ("x (px)", "y (px)", "score", "label", "source")
    return table(" ".join(parts), names, rows, total=len(found))


def _number(points: NDArray[np.float64], what: str) -> str:
    return say_number(len(points), what)


def _frame(axes: Axes, width: float, height: float) -> None:
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color=PALE)


def _scale_bar(axes: Axes, width: float, height: float, mpp: Mpp) -> None:
    """Draw a bar of a round length, about a fifth of the width, at the lower right."""
    from matplotlib.patheffects import withStroke

    longest = width * mpp.x / 5
    length_um = max((um for um in _BARS_UM if um <= longest), default=_BARS_UM[0])
    right, y = width * 0.97, height * 0.96
    casing = [withStroke(linewidth=4, foreground="white")]
    axes.plot(
        [right - length_um / mpp.x, right],
        [y, y],
        color=INK,
        linewidth=2,
        path_effects=casing,
        scalex=False,
        scaley=False,
    )
    name = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"
    middle = right - length_um / mpp.x / 2
    axes.annotate(
        name, (middle, y), (0, 3), textcoords="offset points", ha="center", va="bottom", path_effects=casing
    )


def _draw_box(axes: Axes, box: BoxPx0, name: str) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    look = Rectangle(
        (box.x, box.y), box.width, box.height, fill=False, edgecolor=HOT_SPOT, linewidth=1.6, label=name
    )
    look.set_path_effects([withStroke(linewidth=3.0, foreground="white")])
    axes.add_patch(look)
