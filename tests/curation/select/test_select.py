"""What is chosen, with which probability, and that estimates from it are right."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.curation.select import (
    Choice,
    ScoredTiles,
    choose_above,
    choose_slides,
    choose_top,
    horvitz_thompson,
    read_choice,
    score_tiles,
    slide_total,
    write_choice,
)
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError, NonFiniteError
from mitoscope.geometry import SizePx

SIZES = {"a.svs": SizePx(2_500, 1_000), "b.svs": SizePx(1_000, 2_000)}
FOUND = {"a.svs": Detections.of([[10, 10], [999, 20], [2_500, 1_000]], [0.3, 0.7, 0.25])}


def made(scores: list[list[float]]) -> ScoredTiles:
    """Return tiles of some slides with given scores."""
    counts = [len(one) for one in scores]
    slide = np.repeat(np.arange(len(scores)), counts)
    boxes = np.zeros((len(slide), 4))
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
    assert choose_top(tiles, 2).rows.tolist() == [1, 2, 5, 4]
    some = choose_top(tiles, 1, slides=["1.svs"])
    assert some.rows.tolist() == [5]
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


def test_the_estimate_is_right_on_average_over_all_samples() -> None:
    # Two tiles above, five below of which two are drawn: all ten samples, written out.
    tiles = made([[0.9, 0.8, 0.1, 0.1, 0.1, 0.1, 0.1]])
    value = np.array([5.0, 3.0, 0.0, 1.0, 0.0, 2.0, 4.0])
    totals, variances = [], []
    for pair in combinations(range(2, 7), 2):
        chosen = np.isin(np.arange(7), [0, 1, *pair])
        probability = np.array([1, 1, *[2 / 5] * 5])
        found = horvitz_thompson(
            Choice(tiles, chosen, probability, np.array([0, 0, 1, 1, 1, 1, 1]), ""), value
        )
        totals.append(found.value)
        variances.append(found.standard_error**2)
        assert found.naive != pytest.approx(value.sum())
    assert np.mean(totals) == pytest.approx(value.sum())
    assert np.mean(variances) == pytest.approx(np.var(totals))


def test_the_interval_covers_the_truth_and_the_plain_mean_does_not() -> None:
    rng = np.random.default_rng(7)
    score = rng.beta(0.5, 3, 800)
    figures = rng.poisson(4 * score).astype(np.float64)
    tiles = made([score[:500].tolist(), score[500:].tolist()])
    covered, naive = 0, []
    for seed in range(200):
        found = horvitz_thompson(choose_above(tiles, seed=seed), figures)
        low, high = found.interval
        covered += low <= figures.sum() <= high
        naive.append(found.naive)
    assert covered >= 170
    assert np.mean(naive) > 1.5 * figures.sum()


def test_whole_slides_are_estimated_slide_by_slide() -> None:
    tiles = made([[0.1] * n for n in (3, 5, 2, 7)])
    value = np.arange(17, dtype=np.float64)
    found = [slide_total(choose_slides(tiles, 2, seed=seed), value) for seed in range(300)]
    assert np.mean([one.value for one in found]) == pytest.approx(value.sum(), rel=0.1)
    assert slide_total(choose_slides(tiles, 4), value).standard_error == 0
    assert np.isnan(slide_total(choose_slides(tiles, 1), value).standard_error)
    with pytest.raises(ConfigError, match="5 of 4 slides"):
        choose_slides(tiles, 5)


def test_tiles_that_wait_for_their_label_are_said() -> None:
    choice = choose_top(made([[0.9, 0.1]]), 1)
    assert horvitz_thompson(choice, [3, np.nan]).value == 3
    assert horvitz_thompson(choice, [3, np.nan]).left_out == 1
    with pytest.raises(NonFiniteError, match="1 of 1 chosen tiles have no value"):
        horvitz_thompson(choice, [np.nan, 3])
    with pytest.raises(FormatError, match="1 values for 2 tiles"):
        horvitz_thompson(choice, [3])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 9))
@settings(max_examples=20)
def test_a_choice_reads_back_as_it_was(scores: list[float], seed: int) -> None:
    import tempfile

    choice = choose_above(made([scores, [0.5]]), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "choice.csv"
        write_choice(path, choice)
        again = read_choice(path)
    assert (again.rule, again.seed, again.tiles.slides) == (choice.rule, choice.seed, choice.tiles.slides)
    for mine, theirs in (
        (again.chosen, choice.chosen),
        (again.probability, choice.probability),
        (again.stratum, choice.stratum),
        (again.tiles.score, choice.tiles.score),
        (again.tiles.boxes_px0, choice.tiles.boxes_px0),
    ):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("slide,x\n", "not a choice of tiles"),
        ("# mitoscope choice 1 {\n", "first line cannot be read"),
        ('# mitoscope choice 1 {"rule": "", "seed": 0, "slides": []}\nslide\na\n', "line 3 cannot be read"),
    ],
)
def test_files_that_are_no_choice(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "choice.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=match):
        read_choice(path)
    with pytest.raises(FormatError, match="no such file"):
        read_choice(tmp_path / "none.csv")
