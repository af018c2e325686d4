"""Figures: one look whatever the reader's settings, the same bytes each time, names that stay names."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mitoscope.errors import ConfigError
from mitoscope.figure import FIGURE, FIRST, GAP, SECOND, THIRD, encode_figure, name_label, style, write_figure


@style()
def plot(title: str = "title", *, colour: str = FIRST) -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.plot([0, 1, 2], [2, 1, 3], color=colour)
    return figure


def texts(content: bytes) -> list[str]:
    return list(ET.fromstring(content).itertext())


@pytest.mark.parametrize("encoding", ["png", "svg"])
def test_the_same_figure_is_the_same_bytes(encoding: str) -> None:
    first = encode_figure(plot(), encoding)  # type: ignore[arg-type]
    assert first == encode_figure(plot(), encoding)  # type: ignore[arg-type]
    assert first != encode_figure(plot(colour=SECOND), encoding)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["png", "svg"])
def test_settings_of_the_reader_change_nothing(encoding: str) -> None:
    plain = encode_figure(plot(), encoding)  # type: ignore[arg-type]
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "x", "axes.grid": True, "savefig.dpi": 30}):
        assert encode_figure(plot(), encoding) == plain  # type: ignore[arg-type]
        assert mpl.rcParams["font.size"] == 20


def test_threads_draw_the_same_and_leave_the_settings_as_they_were() -> None:
    size = mpl.rcParams["font.size"]
    with ThreadPoolExecutor(8) as pool:
        drawn = set(pool.map(lambda _: encode_figure(plot(), "svg"), range(24)))
    assert drawn == {encode_figure(plot(), "svg")}
    assert mpl.rcParams["font.size"] == size


def test_control_settings_of_the_reader_would_show() -> None:
    plain = encode_figure(plot(), "png")
    with mpl.rc_context({"font.size": 20}):
        figure = Figure(figsize=(3, 2))
        figure.add_subplot().plot([0, 1, 2], [2, 1, 3], color=FIRST)
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
    assert stream.getvalue() != plain


def test_an_svg_says_neither_when_nor_where_and_keeps_text() -> None:
    content = encode_figure(plot("F1 by domain"), "svg")
    assert "F1 by domain" in texts(content)
    for word in (b"dc:date", b"/tmp", b"matplotlib.org"):
        assert word not in content.split(b"<metadata>")[-1].split(b"</metadata>")[0], word


@pytest.mark.parametrize(
    "name", ["</text><script>alert(1)</script>", "$x_1$ & <b>", "\x00\n\ud800", "有丝分裂"]
)
def test_names_cannot_become_markup_nor_formulas(name: str) -> None:
    content = encode_figure(plot(name_label(name)), "svg")
    root = ET.fromstring(content)
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert name_label(name) in texts(content)
    assert encode_figure(plot(name_label(name)), "png").startswith(b"\x89PNG")


def test_long_names_are_shortened() -> None:
    assert name_label("x" * 34) == "x" * 34
    assert name_label("x" * 35) == "x" * 33 + "…"


def test_the_suffix_decides_the_format(tmp_path: Path) -> None:
    for name in ("figure.png", "figure.SVG"):
        write_figure(plot(), tmp_path / name)
    with Image.open(tmp_path / "figure.png") as image:
        assert image.size == (600, 400)
    assert ET.parse(tmp_path / "figure.SVG").getroot().tag.endswith("svg")
    with pytest.raises(ConfigError, match=r"ends in .png or .svg"):
        write_figure(plot(), tmp_path / "figure.jpg")
    assert len(list(tmp_path.iterdir())) == 2


def test_colours_differ_for_who_sees_no_red_or_green() -> None:
    # Viénot 1999: what a deuteranope sees depends on this projection of linear RGB alone, and on blue.
    def seen(colour: str) -> np.ndarray:
        channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        red, green, blue = channels**2.2
        return np.array([0.29275 * red + 0.70725 * green, blue])

    pairs = [(FIRST, SECOND), (FIRST, THIRD), (SECOND, THIRD), (FIGURE, GAP)]
    for one, other in pairs:
        assert np.abs(seen(one) - seen(other)).max() > 0.1, (one, other)


def test_a_figure_asks_for_no_screen_and_keeps_no_state() -> None:
    code = (
        "import sys, mitoscope.figure as f\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from matplotlib.figure import Figure\n"
        "with f.style():\n    figure = Figure()\n"
        "f.encode_figure(figure, 'png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
