"""The look of all figures: colours, one style of plots, and files that are the same bytes each time.

Plots are matplotlib figures, made from its objects and not through ``pyplot``, which would keep them and ask
for a screen; those that a notebook asks for are pyplot's, which shows them there (`axes_for`). matplotlib
takes half a second to import, so it is imported where a plot is drawn.

H&E is pink to violet: marks are yellow or blue with a contrasting casing and differ in shape as well, so that
nothing hangs on telling red from green (Okabe and Ito 2008, colour universal design).
"""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from mitoscope.errors import ConfigError
from mitoscope.fsio import atomic_write
from mitoscope.written import cache_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURE: Final = "#f0e442"
"""Mitotic figures: the yellow of Okabe and Ito, drawn with a dark casing."""
HOT_SPOT: Final = "#0072b2"
"""The hot spot: the blue of Okabe and Ito, drawn with a white casing."""
GAP: Final = "#d55e00"
"""Areas that could not be read: the vermilion of Okabe and Ito, hatched."""
TISSUE: Final = "#2f3b45"
"""Outline of the tissue."""
FIRST: Final = HOT_SPOT
"""What was found here, the first of several curves."""
SECOND: Final = GAP
"""What it is compared with: another detector, a published value."""
THIRD: Final = "#009e73"
"""A third curve: the bluish green of Okabe and Ito."""
COUNTED_AREA: Final = THIRD
"""Outline of where figures are counted, if not on all tissue: drawn with a white casing."""
INK: Final = "#1b1f24"
"""Text and dark casings."""
QUIET: Final = "#57606a"
"""Remarks and marginal lines."""
GRID: Final = "#e3e7eb"
PALE: Final = "#b9c2cb"
"""What does not count."""
PALE_BLUE: Final = "#cfe3f2"
"""Inside of boxes and bars whose edge is `FIRST`."""
SUFFIXES: Final = (".png", ".svg")
_FURTHER: Final = ("#cc79a7", "#e69f00", "#56b4e9")
_NAME_MAX: Final = 34
_SETTINGS: Final = threading.RLock()
"""Settings of matplotlib are of the whole process: one thread draws at a time."""
_STYLE: Final[dict[str, Any]] = {
    # The first is matplotlib's own, the same on every machine; the others have its width, for readers of SVG.
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9.0,
    # Names of files and groups are text, not formulas.
    "text.parse_math": False,
    "text.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "mitoscope",
    "axes.edgecolor": "#8a949e",
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    # Okabe and Ito, the order by contrast on white.
    "axes.prop_cycle": f"cycler(color={[FIRST, SECOND, THIRD, *_FURTHER, INK]})",
    "axes.axisbelow": True,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#8a949e",
    "ytick.color": "#8a949e",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "hatch.linewidth": 0.8,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and save within the style, whatever the reader's own settings of matplotlib are."""
    import matplotlib as mpl

    settings: Any = dict(mpl.rcParamsDefault) | _STYLE
    del settings["backend"]  # setting it would choose one
    with _SETTINGS, mpl.rc_context(settings), warnings.catch_warnings():
        # Of a name in another script: an SVG shows it in the reader's typeface, a PNG as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def use_cache_folder() -> None:
    """Let matplotlib and torch keep their caches in the user's cache folder, and write nothing elsewhere.

    For a process of our own, before they are imported: in a notebook they belong to its reader.
    """
    cache = cache_folder()
    if cache is None:
        return  # without a home matplotlib takes a temporary folder
    os.environ.setdefault("MPLCONFIGDIR", str(cache / "matplotlib"))
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache / "torch" / "inductor"))
    # That the list is made for the first time, or cannot be kept, is no news to who waits for a report.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def load_plots() -> None:
    """Import what plots are drawn with; half a second that may pass beside other work, in another thread."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure
    import matplotlib.patheffects  # noqa: F401


def axes_for(ax: Axes | None, *, aspect: float = 0.75, width_inch: float = 6.0) -> Axes:
    """Return the axes that a plot in a notebook is drawn in: those given, else those of a new figure.

    Parameters
    ----------
    ax : Axes or None
    aspect : float
        Height to width of what is drawn.
    width_inch : float
        Width of the figure; a high one is narrower.
    """
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    height_inch = min(width_inch * aspect, 1.2 * width_inch)
    _, axes = plt.subplots(figsize=(height_inch / aspect, height_inch + 0.5), layout="constrained")
    return axes


def place_axes(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place in inches, from the upper left corner of the figure."""
    whole_width, whole_height = figure.get_size_inches().tolist()
    box = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    return figure.add_axes(box)


@style()
def encode_figure(figure: Figure, encoding: Literal["png", "svg"], *, dpi: float = 150) -> bytes:
    """Return a figure as a file; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Made within `style`.
    encoding : {"png", "svg"}
        Text stays text in an SVG.
    dpi : float
        Pixels per inch of a PNG.
    """
    metadata: dict[str, str | None] = (
        {"Date": None, "Creator": "mitoscope"} if encoding == "svg" else {"Software": "mitoscope"}
    )
    stream = io.BytesIO()
    figure.savefig(stream, format=encoding, dpi=dpi, metadata=metadata)
    return stream.getvalue()


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix.

    Raises
    ------
    ConfigError
        If that is neither .png nor .svg.
    OutputError
        If it cannot be written.
    """
    content = encode_figure(figure, parse_encoding(path), dpi=200)
    with atomic_write(path) as stream:
        stream.write(content)


def parse_encoding(path: Path) -> Literal["png", "svg"]:
    """Return the format that a path's suffix names.

    Raises
    ------
    ConfigError
        If it is neither .png nor .svg.
    """
    match path.suffix.lower():
        case ".png":
            return "png"
        case ".svg":
            return "svg"
    raise ConfigError(
        "unknown figure format", where=path, mend=f"use a name that ends in {' or '.join(SUFFIXES)}"
    )


def name_label(name: str) -> str:
    """Return a name from outside as a label: one printable line of at most 34 characters."""
    plain = "".join(sign if sign.isprintable() else "\ufffd" for sign in name)
    return plain if len(plain) <= _NAME_MAX else f"{plain[: _NAME_MAX - 1]}…"
