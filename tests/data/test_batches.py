"""Batches of every scheme: replayed exactly, labels where the markers are, nothing under the white."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from mitoscope.data.augment import AugmentConfig
from mitoscope.data.batches import Batches, Drawn, make_batches
from mitoscope.data.field import Labels
from mitoscope.data.picture import Picture
from mitoscope.data.sampling import HardPool, SamplingConfig
from mitoscope.data.target import Batch
from mitoscope.errors import TrainingDataError
from mitoscope.geometry import BoxPx

pytestmark = pytest.mark.train

NONE = HardPool.empty()
LABELS = ("mitotic figure", "look-alike")
SCHEMES: dict[str, dict[str, Any]] = {
    "semi": {
        "foreground": 8,
        "bg_hard": 2,
        "bg_random": 6,
        "field_share": 0.3,
        "paste_share": 0.5,
        "framed": True,
    },
    "ccmct": {"window_px": 160, "batch": 6},
    "midogpp": {"window_px": 160, "batch": 6, "near_px": 60},
    "crowd": {"batch": 6, "negatives": 1},
    "crops": {"window_px": 64, "batch": 6},
}
COLOURED = AugmentConfig(shear=0.05, lighting=0.2, contrast=0.2)
GEOMETRY: dict[str, Any] = {
    "contrast_transfer": 0, "stain_strength": 0, "focus": 0, "noise": 0, "jpeg": 0, "slide_edge": 0,
}  # fmt: skip


def _batches(
    fields: tuple[Picture, ...], kind: str, augment: AugmentConfig = COLOURED, **more: Any
) -> Batches:
    config = TypeAdapter[SamplingConfig](SamplingConfig).validate_python(
        {"kind": kind} | SCHEMES[kind] | more
    )
    return make_batches(fields, config, augment, labels=LABELS, mpp=0.25, stride_px=8, seed=1)


def _parts(batch: Batch) -> list[torch.Tensor]:
    cells = () if batch.cells is None else (batch.cells,)
    return [batch.rgb, *batch.boxes, *batch.classes, *batch.weights, batch.score, *cells]


def _same(one: Batch, other: Batch) -> bool:
    pairs = zip(_parts(one), _parts(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kind", SCHEMES)
def test_a_batch_is_a_function_of_its_step(
    kind: str, pictures: tuple[Picture, ...], labelled_fields: tuple[Picture, ...]
) -> None:
    batches = _batches((*pictures, *labelled_fields), kind)
    again = _batches((*pictures, *labelled_fields), kind)
    assert _same(batches.draw(3, NONE), again.draw(3, NONE))
    assert not torch.equal(batches.draw(4, NONE).rgb, again.draw(3, NONE).rgb)


@pytest.mark.parametrize("kind", SCHEMES)
def test_what_was_drawn_is_kept_as_json_and_made_again(
    kind: str, pictures: tuple[Picture, ...], labelled_fields: tuple[Picture, ...]
) -> None:
    batches = _batches((*pictures, *labelled_fields), kind)
    drawn = batches.drawn(5, NONE)
    kept = Drawn.from_json(drawn.to_json())
    assert kept == drawn
    assert _same(batches.replay(kept), batches.draw(5, NONE))


@pytest.mark.parametrize("kind", SCHEMES)
def test_shapes(kind: str, pictures: tuple[Picture, ...], labelled_fields: tuple[Picture, ...]) -> None:
    batch = _batches((*pictures, *labelled_fields), kind).draw(0, NONE)
    n, side = len(batch.rgb), batch.rgb.shape[1]
    assert batch.rgb.dtype == torch.uint8
    assert batch.rgb.shape == (n, side, side, 3)
    assert len(batch.boxes) == len(batch.classes) == len(batch.weights) == len(batch.score) == n
    for boxes, classes, weights in zip(batch.boxes, batch.classes, batch.weights, strict=True):
        assert boxes.shape == (len(classes), 4)
        assert boxes.dtype == weights.dtype == torch.float32
        assert classes.dtype == torch.int64
        assert len(weights) == len(classes)
        assert ((boxes >= 0) & (boxes <= side)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (batch.cells is not None) == (kind == "semi")
    if batch.cells is not None:
        assert batch.cells.shape == (n, side // 8, side // 8)
        assert set(batch.cells.flatten().tolist()) <= {-1, 0, 1}


def _marked(side: int, cells: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Paint a grey picture with one small bright mark for each cell; red says how strong the mark is."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    rgb = np.full((side, side, 3), 60, np.uint8)
    for index, (x, y) in enumerate(cells):
        disc = np.hypot(columns - x, rows - y) < 3
        rgb[disc] = (255, 255 if index % 2 else 60, 60)
    return rgb


def test_boxes_lie_on_the_marks_after_every_change_of_place() -> None:
    cells = np.stack(np.meshgrid(np.arange(40.0, 400, 80), np.arange(40.0, 400, 80)), -1).reshape(-1, 2)
    labels = Labels.of(cells, [LABELS[i % 2] for i in range(len(cells))], np.linspace(0.04, 1, len(cells)))
    field = Picture("marks", "lab", "marks", _marked(400, cells), others=labels)
    augment = AugmentConfig(**(GEOMETRY | {"shear": 0.1, "stretch": 0.1}))
    batches = _batches((field,), "crowd", augment, window_px=160, batch=8, negatives=0)
    seen = 0
    for step in range(4):
        batch = batches.draw(step, NONE)
        for rgb, boxes, classes in zip(batch.rgb.numpy(), batch.boxes, batch.classes, strict=True):
            rows, columns = np.mgrid[:160, :160] + 0.5
            for box, which in zip(boxes.numpy(), classes.tolist(), strict=True):
                x, y = (box[:2] + box[2:]) / 2
                if box.min() <= 0 or box.max() >= 160:
                    continue  # cut off at the border: its middle is not the cell's
                near = np.hypot(columns - x, rows - y) < 8
                strength = (rgb[..., 0].astype(float) - 60) * near
                found = (strength * columns).sum() / strength.sum(), (strength * rows).sum() / strength.sum()
                assert np.hypot(found[0] - x, found[1] - y) < 0.5
                green = rgb[int(y), int(x), 1]
                assert (green > 200) == (which == 1)
                seen += 1
            marks = int((rgb[..., 0] > 200).sum())
            assert marks > 0
    assert seen >= 40


def test_every_mark_in_a_window_has_its_box(labelled_fields: tuple[Picture, ...]) -> None:
    batches = _batches(labelled_fields, "ccmct", AugmentConfig(**GEOMETRY))
    for step in range(3):
        batch = batches.draw(step, NONE)
        for rgb, boxes in zip(batch.rgb.numpy(), batch.boxes, strict=True):
            dark = rgb.astype(int).sum(axis=2) < 240
            for x1, y1, x2, y2 in boxes.int().tolist():
                dark[y1 : y2 + 1, x1 : x2 + 1] = False
            inner = dark[16:-16, 16:-16]  # at the border the middle of a disc may lie outside
            assert not inner.any()


def test_boxes_have_50_px_times_the_scale(labelled_fields: tuple[Picture, ...]) -> None:
    still = _batches(labelled_fields, "ccmct", AugmentConfig.nothing())
    sides = torch.cat([b[:, 2:] - b[:, :2] for b in still.draw(0, NONE).boxes])
    assert float(sides.max()) == pytest.approx(50, abs=0.01)
    double = AugmentConfig(**(GEOMETRY | {"scale_min": 1.5, "scale_max": 1.5, "stretch": 0}))
    sides = torch.cat(
        [b[:, 2:] - b[:, :2] for b in _batches(labelled_fields, "ccmct", double).draw(0, NONE).boxes]
    )
    assert float(sides.max()) == pytest.approx(75, abs=0.01)


def test_nothing_leaves_the_pixels_as_they_are(labelled_fields: tuple[Picture, ...]) -> None:
    batches = _batches(labelled_fields, "crops", AugmentConfig.nothing())
    batch, drawn = batches.draw(0, NONE), batches.drawn(0, NONE)
    for rgb, window in zip(batch.rgb.numpy(), drawn.windows, strict=True):
        left, top = round(window.x) - 32, round(window.y) - 32
        assert np.array_equal(rgb, labelled_fields[window.picture].window(BoxPx(left, top, 64, 64)))


def test_agreement_becomes_the_weight() -> None:
    labels = Labels.of([[100.0, 100.0], [150.0, 150.0]], "mitotic figure", [0.25, 0.75])
    field = Picture("a", "lab", "a", np.full((300, 300, 3), 200, np.uint8), others=labels)
    batch = _batches((field,), "crowd", AugmentConfig.nothing(), negatives=0).draw(0, NONE)
    assert {round(float(w), 2) for weights in batch.weights for w in weights} == {0.25, 0.75}


def test_no_box_lies_under_the_white_and_crops_have_none(labelled_fields: tuple[Picture, ...]) -> None:
    edge = AugmentConfig(**(GEOMETRY | {"slide_edge": 1}))
    batches = _batches(labelled_fields, "ccmct", edge)
    for step in range(4):
        batch = batches.draw(step, NONE)
        assert (batch.rgb == 255).all(-1).flatten(1).any(1).all()
        for rgb, boxes in zip(batch.rgb, batch.boxes, strict=True):
            for x, y in ((boxes[:, :2] + boxes[:, 2:]) / 2).int().tolist():
                assert not (rgb[min(y, 159), min(x, 159)] == 255).all()
    crops = _batches(labelled_fields, "crops", edge).draw(0, NONE)
    assert not (crops.rgb == 255).all(-1).any()


def test_figures_lie_on_dark_pixels(pictures: tuple[Picture, ...]) -> None:
    dark = []
    for step in range(4):
        batch = _batches(pictures, "semi").draw(step, NONE)
        assert batch.cells is not None
        cells = batch.rgb.float().mean(-1).reshape(16, 16, 8, 16, 8).mean((2, 4)).numpy()
        for window, labels in zip(cells[:8], batch.cells.numpy()[:8], strict=True):
            if (labels == 1).any():
                dark.append(window[labels == 1].mean() < np.median(window[labels == 0]))
    assert np.mean(dark) > 0.9


def test_windows_larger_than_every_field_are_refused(labelled_fields: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="windows of 512 px, but the largest field has 400 px"):
        _batches(labelled_fields, "ccmct", window_px=512)
