"""A contact sheet of a batch: windows as the network sees them, with what they teach."""

from __future__ import annotations

import math
from typing import Final

from PIL import Image, ImageDraw

from mitoscope.data.batch import Batch
from mitoscope.data.target import FIGURE

_COLOURS: Final = ("#ffd43b", "#1c7ed6", "#37b24d", "#e64980")
_GAP_PX: Final = 6
_SHEET_PX: Final = 1600


def contact_sheet(batch: Batch, labels: tuple[str, ...], *, score: str | None = None) -> Image.Image:
    """Draw the windows of a batch with boxes (by class), cells of the dense target, and a legend below.

    Parameters
    ----------
    batch : Batch
    labels : tuple of str
        Names by class, for the legend of the boxes.
    score : str, optional
        What the score of a window states, for the legend; without it no score is drawn.
    """
    n, height, width = batch.rgb.shape[:3]
    columns = max(min(math.ceil(math.sqrt(n)), _SHEET_PX // (width + _GAP_PX)), 1)
    rows = math.ceil(n / columns)
    sheet = Image.new("RGB", (columns * (width + _GAP_PX), rows * (height + _GAP_PX) + 24), "white")
    for index in range(n):
        place = ((index % columns) * (width + _GAP_PX), (index // columns) * (height + _GAP_PX))
        sheet.paste(_window(batch, index, with_score=score is not None), place)
    draw, x = ImageDraw.Draw(sheet), 4
    for name, colour in zip(labels, _COLOURS, strict=False):
        draw.rectangle((x, sheet.height - 18, x + 12, sheet.height - 6), outline=colour, width=2)
        draw.text((x + 18, sheet.height - 18), name, fill="black")
        x += 36 + int(draw.textlength(name))
    if score is not None:
        draw.text((x, sheet.height - 18), f"number: {score}", fill="black")
    return sheet


def _window(batch: Batch, index: int, *, with_score: bool) -> Image.Image:
    picture = Image.fromarray(batch.rgb[index].numpy())
    draw = ImageDraw.Draw(picture)
    if batch.cells is not None:
        side = picture.width // batch.cells.shape[2]
        for row, column in (batch.cells[index] == FIGURE).nonzero().tolist():
            draw.rectangle(
                (column * side, row * side, (column + 1) * side - 1, (row + 1) * side - 1),
                outline=_COLOURS[0],
            )
    else:
        for box, which in zip(batch.boxes[index].tolist(), batch.classes[index].tolist(), strict=True):
            draw.rectangle(box, outline=_COLOURS[which % len(_COLOURS)], width=2)
    if with_score:
        draw.text((4, 2), f"{float(batch.score[index]):.2f}", fill="black")
    return picture
