from __future__ import annotations

import xml.etree.ElementTree as ET

from mitoscope.evaluate.domains import DomainScore, domain_matrix
from mitoscope.report.domain_map import draw_domain_map
from mitoscope.report.plot import Box

MATRIX = domain_matrix(
    [
        DomainScore("breast", "breast", 0.71, 0),
        DomainScore("breast", "breast", 0.75, 1),
        DomainScore("breast", "lung", 0.5),
        DomainScore("lung", "lung", None),
    ]
)


def test_cells_state_mean_and_sd() -> None:
    said = list(ET.fromstring(draw_domain_map(MATRIX).to_svg()).itertext())
    for text in ("0.73", "± 0.03", "0.50", "0/0", "–", "breast", "lung", "tested on"):
        assert text in said, text


def test_higher_is_darker() -> None:
    boxes = [shape for shape in draw_domain_map(MATRIX).shapes if isinstance(shape, Box) and shape.width > 50]
    brightness = [sum(bytes.fromhex(box.fill[1:])) for box in boxes[:2]]
    assert brightness[0] < brightness[1]


def test_one_value_and_none_at_all_are_drawn() -> None:
    for value in (0.5, None):
        drawn = draw_domain_map(domain_matrix([DomainScore("a", "b", value)]))
        assert drawn.to_png().startswith(b"\x89PNG")
