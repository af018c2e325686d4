"""Embeddings: the loss against plain loops, classes drawn together, and the same weights after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.errors import LedgerMismatchError, TrainingDataError

pytestmark = pytest.mark.train

torch = pytest.importorskip("torch")

from mitoscope.curation.board import Grid, suspicion  # noqa: E402
from mitoscope.loops.board import NO_CLASS, BoardCells  # noqa: E402
from mitoscope.loops.crops import CropPlace  # noqa: E402
from mitoscope.loops.embedding import (  # noqa: E402
    Embedder,
    EmbeddingConfig,
    contrastive_loss,
    learn_embeddings,
)

from .making import SIDE, Posted, made_board  # noqa: E402

CONFIG = EmbeddingConfig(backbone="resnet10t", class_epochs=1, contrastive_epochs=1, batch=8)


def made(n: int, side: int = 32) -> tuple[np.ndarray, list[str]]:
    """Return crops of three textures, named by their texture."""
    rng = np.random.default_rng(0)
    crops = rng.integers(90, 160, (n, side, side, 3), dtype=np.uint8)
    label = ["abc"[row % 3] for row in range(n)]
    crops[1::3, ::4] //= 3
    crops[2::3, 8:24, 8:24, 0] //= 3
    return crops, label


def test_the_contrastive_loss_is_that_of_plain_loops() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(7, 4))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    label = rng.integers(0, 3, 7)
    within, between = [], []
    for i in range(7):
        for j in range(i + 1, 7):
            far = float(np.linalg.norm(points[i] - points[j]))
            if label[i] == label[j]:
                within.append(far**2)
            else:
                between.append(max(0.0, 0.9 - far) ** 2)
    expected = (np.mean(within) + np.mean(between)) / 2
    loss = contrastive_loss(torch.from_numpy(points), torch.from_numpy(label), margin=0.9)
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_two_crops_at_one_place_have_a_finite_slope() -> None:
    same = torch.nn.functional.normalize(torch.ones(4, 3), dim=1).requires_grad_()
    contrastive_loss(same, torch.tensor([0, 0, 1, 1]), margin=1.0).backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(same.grad).all()


def test_learning_draws_classes_together(tmp_path: Path) -> None:
    crops, label = made(36)
    config = CONFIG.model_copy(update={"class_epochs": 4, "contrastive_epochs": 4, "batch": 12})
    embedder = Embedder(crops, label, config)
    embedder.fit(tmp_path)
    points = embedder.embed(crops)
    assert np.linalg.norm(points, axis=1) == pytest.approx(1, abs=1e-5)
    assert suspicion(points, label, neighbours=5).disagreement.mean() < 0.2


def test_a_stopped_training_ends_in_the_same_embeddings(tmp_path: Path) -> None:
    crops, label = made(24)

    def stop(done: float, total: float) -> None:
        if done == 4:
            raise KeyboardInterrupt

    whole = Embedder(crops, label, CONFIG)
    whole.fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        Embedder(crops, label, CONFIG).fit(tmp_path / "part", progress=stop)
    again = Embedder(crops, label, CONFIG)
    steps: list[float] = []
    again.fit(tmp_path / "part", progress=lambda done, total: steps.append(done))
    assert steps == [4, 5, 6]
    assert np.array_equal(again.embed(crops), whole.embed(crops))
    with pytest.raises(LedgerMismatchError):
        Embedder(crops, label[::-1], CONFIG).fit(tmp_path / "whole")


def test_a_board_learns_elsewhere_what_it_learns_here(tmp_path: Path) -> None:
    made_board(tmp_path / "a.tiff", Grid(4, 4, SIDE), 12)
    slides = {"a.tiff": tmp_path / "a.tiff"}
    places = tuple(CropPlace("a.tiff", 30.0 + 12 * n, 40.0 + 8 * n) for n in range(9))
    label = ("a", "b", NO_CLASS) * 3
    cells = BoardCells(tuple(range(1, 10)), places, label, ("#000000",) * 9)
    options: dict[str, Any] = {"config": CONFIG, "crop_px": SIDE}
    here = learn_embeddings(cells, slides, tmp_path / "here", **options)
    there = learn_embeddings(cells, slides, tmp_path / "there", executor=Posted(), **options)
    assert here.cell_id.tolist() == list(range(1, 10))
    assert np.array_equal(here.points, there.points)


def test_one_class_cannot_be_told_apart() -> None:
    crops, _ = made(4)
    with pytest.raises(TrainingDataError, match="4 crops of 1 classes"):
        Embedder(crops, ["a"] * 4, CONFIG)
