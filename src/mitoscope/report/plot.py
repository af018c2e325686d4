"""A small figure: shapes on a sheet, written as SVG or as PNG, the same in both."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from mitoscope.errors import ConfigError
from mitoscope.fsio import atomic_write
from mitoscope.report.colours import INK

Anchor = Literal["start", "middle", "end"]
SUFFIXES = (".png", ".svg")
_PIXELS_PER_UNIT = 2
"""PNG pixels per unit of the sheet, sharp on screen and paper; drawn at twice that and reduced, for smooth
lines."""
_OVERSAMPLING = 2
_PLAIN = str.maketrans({"µ": "u", "μ": "u", "–": "-", "≥": ">=", "²": "2", "→": "->"})
"""Signs that Pillow's own typeface lacks."""
_PILLOW_ANCHOR = {"start": "lm", "middle": "mm", "end": "rm"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; dashed if told."""

    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle with a white casing."""

    x: float
    y: float
    radius: float
    fill: str


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text, vertically centred on y; upright text reads from below."""

    x: float
    y: float
    text: str
    size: float = 12.0
    anchor: Anchor = "start"
    colour: str = INK
    upright: bool = False


Shape = Line | Box | Dot | Text


@dataclass
class Sheet:
    """A white sheet of a size in units (CSS pixels), on which shapes are laid in order."""

    width: float
    height: float
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Lay shapes on top."""
        self.shapes += shapes

    def to_svg(self) -> str:
        """Return the figure as an SVG document."""
        size = f'width="{self.width:g}" height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Helvetica, Arial, sans-serif">'
        ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return "\n".join([head, ground, *(_svg(shape) for shape in self.shapes), "</svg>", ""])

    def to_png(self) -> bytes:
        """Return the figure as a PNG."""
        scale = _PIXELS_PER_UNIT * _OVERSAMPLING
        image = Image.new("RGB", (round(self.width * scale), round(self.height * scale)), "white")
        for shape in self.shapes:
            _paint(image, shape, scale)
        size = (round(self.width * _PIXELS_PER_UNIT), round(self.height * _PIXELS_PER_UNIT))
        buffer = io.BytesIO()
        image.resize(size, Image.Resampling.BOX).save(buffer, "PNG", dpi=(192, 192))
        return buffer.getvalue()

    def write(self, path: Path) -> None:
        """Write the figure in the format of the path's suffix.

        Raises
        ------
        ConfigError
            If that is neither .png nor .svg.
        OutputError
            If it cannot be written.
        """
        check_suffix(path)
        content = self.to_svg().encode() if path.suffix.lower() == ".svg" else self.to_png()
        with atomic_write(path) as stream:
            stream.write(content)


def check_suffix(path: Path) -> None:
    """Refuse a figure that is neither PNG nor SVG.

    Raises
    ------
    ConfigError
        Naming the formats.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError("no format for a figure", where=path, mend=f"end it in {' or '.join(SUFFIXES)}")


def _svg(shape: Shape) -> str:
    match shape:
        case Line():
            points = " ".join(f"{x:.2f},{y:.2f}" for x, y in shape.points)
            dashes = ' stroke-dasharray="5 4"' if shape.dashed else ""
            stroke = f'stroke="{shape.colour}" stroke-width="{shape.width:g}" stroke-linejoin="round"'
            return f'<polyline points="{points}" fill="none" {stroke}{dashes}/>'
        case Box():
            place = f'x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}"'
            return f'<rect {place} height="{shape.height:.2f}" fill="{shape.fill}"/>'
        case Dot():
            place = f'cx="{shape.x:.2f}" cy="{shape.y:.2f}" r="{shape.radius:g}"'
            return f'<circle {place} fill="{shape.fill}" stroke="#ffffff" stroke-width="1"/>'
        case Text():
            turn = f' transform="rotate(-90 {shape.x:.2f} {shape.y:.2f})"' if shape.upright else ""
            place = f'x="{shape.x:.2f}" y="{shape.y:.2f}" dy="0.35em" text-anchor="{shape.anchor}"'
            style = f'font-size="{shape.size:g}" fill="{shape.colour}"'
            return f"<text {place} {style}{turn}>{escape(_printable(shape.text))}</text>"


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def _paint(image: Image.Image, shape: Shape, scale: float) -> None:
    pen = ImageDraw.Draw(image)
    match shape:
        case Line():
            points = [(x * scale, y * scale) for x, y in shape.points]
            width = max(1, round(shape.width * scale))
            for part in _dashes(points, 5 * scale, 4 * scale) if shape.dashed else [points]:
                pen.line(part, fill=shape.colour, width=width, joint="curve")
        case Box():
            corners = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
            left, top, right, bottom = (round(one * scale) for one in corners)
            if right > left and bottom > top:
                pen.rectangle((left, top, right - 1, bottom - 1), fill=shape.fill)
        case Dot():
            for radius, fill in ((shape.radius + 0.5, "#ffffff"), (shape.radius - 0.5, shape.fill)):
                low, high = ((shape.x - radius, shape.y - radius), (shape.x + radius, shape.y + radius))
                pen.ellipse((low[0] * scale, low[1] * scale, high[0] * scale, high[1] * scale), fill=fill)
        case Text():
            _write(image, shape, scale)


def _write(image: Image.Image, shape: Text, scale: float) -> None:
    font = ImageFont.load_default(shape.size * scale)
    text = _printable(shape.text).translate(_PLAIN)
    anchor = _PILLOW_ANCHOR[shape.anchor]
    if not shape.upright:
        place = (shape.x * scale, shape.y * scale)
        ImageDraw.Draw(image).text(place, text, font=font, fill=shape.colour, anchor=anchor)
        return
    length, height = round(font.getlength(text)) + 4, round(shape.size * scale * 1.6)
    mask = Image.new("L", (length, height))
    ImageDraw.Draw(mask).text((length / 2, height / 2), text, font=font, fill=255, anchor="mm")
    turned = mask.transpose(Image.Transpose.ROTATE_90)
    shift = {"start": 1.0, "middle": 0.5, "end": 0.0}[shape.anchor]
    corner = (round(shape.x * scale - height / 2), round(shape.y * scale - length * shift))
    image.paste(Image.new("RGB", turned.size, shape.colour), corner, turned)


def _dashes(
    points: Sequence[tuple[float, float]], dash: float, gap: float
) -> list[list[tuple[float, float]]]:
    """Cut a line into dashes."""
    parts: list[list[tuple[float, float]]] = []
    run = 0.0
    for (x_a, y_a), (x_b, y_b) in pairwise(points):
        length = ((x_b - x_a) ** 2 + (y_b - y_a) ** 2) ** 0.5
        at = 0.0
        while at < length:
            phase = (run + at) % (dash + gap)
            step = min((dash if phase < dash else dash + gap) - phase, length - at) or length
            ends = [(x_a + (x_b - x_a) * t / length, y_a + (y_b - y_a) * t / length) for t in (at, at + step)]
            if phase < dash:
                parts.append(ends)
            at += max(step, 1e-6)
        run += length
    return parts
