"""What is chosen, with which probability, and that totals from it are right."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.curation.select import (
    ScoredTiles,
    choose_above,
    choose_slides,
    choose_top,
    score_tiles,
    write_choice,
)
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.geometry import SizePx

SIZES = {"a.svs": SizePx(2_500, 1_000), "b.svs": SizePx(1_000, 2_000)}
FOUND = {"a.svs": Detections.of([[10, 10], [999, 20], [2_500, 1_000]], [0.3, 0.7, 0.25])}


def made(scores: list[list[float]]) -> ScoredTiles:
    """Return tiles of some slides with given scores."""
    counts = [len(one) for one in scores]
    slide = np.repeat(np.arange(len(scores)), counts)
    boxes = np.arange(4 * len(slide), dtype=np.float64).reshape(-1, 4)
    return ScoredTiles(tuple(f"{n}.svs" for n in range(len(scores))), slide, boxes, np.concatenate(scores))


def test_a_tile_has_the_score_of_its_best_detection() -> None:
    tiles = score_tiles(SIZES, FOUND)
    assert tiles.boxes_px0.tolist() == [
        [0, 0, 1000, 1000], [1000, 0, 2000, 1000], [2000, 0, 2500, 1000],
        [0, 0, 1000, 1000], [0, 1000, 1000, 2000],
    ]  # fmt: skip
    assert tiles.score.tolist() == [0.7, 0, 0.25, 0, 0]
    assert tiles.rows_of("b.svs").tolist() == [3, 4]
    assert len(tiles.rows_of("c.svs")) == 0


def test_detections_that_fit_no_tile_are_refused() -> None:
    with pytest.raises(FormatError, match=r"a\.svs: \(2501, 5\) is outside"):
        score_tiles(SIZES, {"a.svs": Detections.of([[2_501, 5]], [0.5])})
    with pytest.raises(FormatError, match=r"a\.svs: \(-1, 5\) is outside"):
        score_tiles(SIZES, {"a.svs": Detections.of([[-1, 5]], [0.5])})
    with pytest.raises(FormatError, match="slide that is not known"):
        score_tiles(SIZES, {"c.svs": Detections.empty()})
    with pytest.raises(FormatError, match="tiles of 0 px"):
        score_tiles(SIZES, {}, tile_px=0)


def test_the_best_of_each_slide_for_experts() -> None:
    tiles = made([[0.1, 0.9, 0.9, 0.5], [0.2, 0.3]])
    assert np.flatnonzero(choose_top(tiles, 2).chosen).tolist() == [1, 2, 4, 5]
    some = choose_top(tiles, 1, slides=["1.svs"])
    assert np.flatnonzero(some.chosen).tolist() == [5]
    assert some.probability.tolist() == [0, 0, 0, 0, 0, 1]
    with pytest.raises(FormatError, match="no slide 'x'"):
        choose_top(tiles, 1, slides=["x"])
    with pytest.raises(ConfigError, match="the best 0 tiles"):
        choose_top(tiles, 0)


def test_all_above_and_a_share_below_for_the_crowd() -> None:
    rng = np.random.default_rng(0)
    tiles = made([rng.uniform(0, 0.5, 400).tolist(), rng.uniform(0, 0.5, 30).tolist()])
    choice = choose_above(tiles, seed=3)
    above = tiles.score > 0.2
    assert choice.chosen[above].all()
    for slide in (0, 1):
        below = ~above & (tiles.slide == slide)
        drawn = int((choice.chosen & below).sum())
        assert drawn == max(2, round(0.1 * below.sum()))
        assert choice.probability[below] == pytest.approx(drawn / below.sum())
    assert np.array_equal(choose_above(tiles, seed=3).chosen, choice.chosen)
    assert not np.array_equal(choose_above(tiles, seed=4).chosen, choice.chosen)
    assert not choose_above(tiles, share_below=0).probability[~above].any()
    with pytest.raises(ConfigError, match=r"a share of 1\.5"):
        choose_above(tiles, share_below=1.5)


def test_weighed_by_its_probability_a_choice_gives_the_total_and_the_plain_mean_does_not() -> None:
    rng = np.random.default_rng(7)
    score = rng.beta(0.5, 3, 800)
    figures = rng.poisson(4 * score).astype(np.float64)
    tiles = made([score[:500].tolist(), score[500:].tolist()])
    totals, naive = [], []
    for seed in range(200):
        choice = choose_above(tiles, seed=seed)
        labelled = figures[choice.chosen]
        totals.append((labelled / choice.probability[choice.chosen]).sum())
        naive.append(labelled.mean() * len(tiles))
    assert np.mean(totals) == pytest.approx(figures.sum(), rel=0.02)
    assert np.mean(naive) > 1.5 * figures.sum()


def test_whole_slides_are_chosen_at_random() -> None:
    tiles = made([[0.1] * n for n in (3, 5, 2, 7)])
    choices = [choose_slides(tiles, 2, seed=seed) for seed in range(300)]
    for choice in choices:
        drawn = set(tiles.slide[choice.chosen].tolist())
        assert len(drawn) == 2
        assert not drawn & set(tiles.slide[~choice.chosen].tolist())
        assert choice.probability.tolist() == [0.5] * 17
    assert np.mean([choice.chosen for choice in choices], axis=0) == pytest.approx(np.full(17, 0.5), abs=0.1)
    assert choose_slides(tiles, 4).chosen.all()
    with pytest.raises(ConfigError, match="5 of 4 slides"):
        choose_slides(tiles, 5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 9))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_file_says_all_of_a_choice(tmp_path: Path, scores: list[float], seed: int) -> None:
    choice = choose_above(made([scores, [0.5]]), seed=seed)
    write_choice(tmp_path / "choice.csv", choice)
    head, *lines = (tmp_path / "choice.csv").read_text(encoding="utf-8").splitlines()
    assert json.loads(head.removeprefix("# mitoscope choice 1 ")) == {
        "rule": choice.rule,
        "seed": seed,
        "slides": ["0.svs", "1.svs"],
    }
    rows = list(csv.DictReader(lines))
    assert [row["slide"] for row in rows] == [choice.tiles.slides[slide] for slide in choice.tiles.slide]
    for name, values in (
        ("score", choice.tiles.score),
        ("probability", choice.probability),
        ("stratum", choice.stratum),
        ("chosen", choice.chosen),
    ):
        assert [float(row[name]) for row in rows] == values.tolist()
    corners = ("x_px0", "y_px0", "width_px0", "height_px0")
    x, y, width, height = np.array([[float(row[name]) for name in corners] for row in rows]).T
    assert np.column_stack([x, y, x + width, y + height]).tolist() == choice.tiles.boxes_px0.tolist()
