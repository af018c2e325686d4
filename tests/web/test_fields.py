from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mitoscope.errors import ConfigError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.store import Field
from mitoscope.tissue import TissueMask
from mitoscope.web.routes.screening import propose_fields

SCALE = 32.0


def _tissue(mask: np.ndarray, cut: tuple[int, int] = (0, 0)) -> TissueMask:
    size = SizePx(int(mask.shape[1] * SCALE) - cut[0], int(mask.shape[0] * SCALE) - cut[1])
    return TissueMask(mask, (SCALE, SCALE), Mpp.square(0.25), size)


def _shown(fields: list[Field], tissue: TissueMask) -> np.ndarray:
    """Return which pixels of the mask some field shows: by their centres, drawn in to the slide."""
    rows, columns = tissue.mask.shape
    y = np.minimum((np.arange(rows) + 0.5) * SCALE, tissue.slide_size.height)[:, None]
    x = np.minimum((np.arange(columns) + 0.5) * SCALE, tissue.slide_size.width)
    shown = np.zeros(tissue.mask.shape, bool)
    for box in (field.box_px0 for field in fields):
        right, bottom = box.right + 1e-6, box.bottom + 1e-6
        shown |= (box.x <= x) & (x <= right) & (box.y <= y) & (y <= bottom)
    return shown


@given(
    arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.booleans()),
    st.tuples(st.floats(20, 400), st.floats(20, 400)),
    st.tuples(st.integers(0, 31), st.integers(0, 31)),
)
@settings(max_examples=40)
def test_the_fields_show_all_tissue_and_each_shows_something_new(
    mask: np.ndarray, field_um: tuple[float, float], cut: tuple[int, int]
) -> None:
    tissue = _tissue(mask, cut)
    fields = propose_fields(tissue, mpp=Mpp.square(0.25), field_um=field_um)
    assert not (mask & ~_shown(fields, tissue)).any()
    assert sum(one.tissue for one in fields) == pytest.approx(float(mask.any()))
    assert all(one.tissue > 0 for one in fields)
    tops = [one.box_px0.y for one in fields]
    assert tops == sorted(tops)


def test_fields_overlap_by_a_tenth_and_go_to_the_right_then_down() -> None:
    tissue = _tissue(np.ones((100, 150), dtype=bool))
    fields = propose_fields(tissue, mpp=Mpp.square(0.25), field_um=(300, 200))
    first, second = fields[0].box_px0, fields[1].box_px0
    assert (first.x, first.y, first.width, first.height) == (0, 0, 1200, 800)
    assert second.y == 0
    assert first.right - second.x > 0
    assert second.x <= 0.9 * first.width
    last = fields[-1].box_px0
    assert (last.right, last.bottom) == (4800, 3200)


def test_a_slide_smaller_than_a_field_has_one_and_an_empty_one_has_none() -> None:
    tissue = _tissue(np.ones((5, 5), dtype=bool))
    (field,) = propose_fields(tissue, mpp=Mpp.square(0.25), field_um=(400, 300))
    assert field.box_px0.x < 0
    assert propose_fields(_tissue(np.zeros((5, 5), dtype=bool)), mpp=Mpp.square(0.25)) == []


@pytest.mark.parametrize(("field_um", "step"), [((0, 100), 0.9), ((100, 100), 0), ((100, 100), 1.1)])
def test_impossible_fields_are_refused(field_um: tuple[float, float], step: float) -> None:
    tissue = _tissue(np.ones((5, 5), dtype=bool))
    with pytest.raises(ConfigError):
        propose_fields(tissue, mpp=Mpp.square(0.25), field_um=field_um, step=step)
