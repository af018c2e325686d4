"""Many slides: none stops another, each is tried again, and the numbers of the whole are foretold."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mitoscope.errors import ConfigError, SlideReadError, StoppedError
from mitoscope.infer import CohortState, ListedSlide, SlideDone, ordered, parse_order, run_cohort
from mitoscope.infer.cohort import Progress, Tally


def slides(tmp_path: Path, sizes: dict[str, int]) -> list[ListedSlide]:
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    return [ListedSlide(tmp_path / name) for name in sizes]


def done(slide: ListedSlide, progress: Progress) -> SlideDone:
    progress(1.0, 1.0)
    return SlideDone(slide, slide.path.with_suffix(".json"), tissue_mm2=1.0, search_s=2.0, other_s=1.0)


def failing(*names: str, times: int) -> Callable[[ListedSlide, Progress], SlideDone]:
    """Work that fails for slides of some names, so many times each."""
    left = dict.fromkeys(names, times)

    def work(slide: ListedSlide, progress: Progress) -> SlideDone:
        if left.get(slide.path.name, 0):
            left[slide.path.name] -= 1
            raise SlideReadError("went away", where=slide.path)
        return done(slide, progress)

    return work


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_slide_that_fails_is_tried_again_after_all_others(tmp_path: Path, at_once: int) -> None:
    listed = slides(tmp_path, {"a.svs": 1, "b.svs": 1, "c.svs": 1, "d.svs": 1})
    found = list(run_cohort(listed, failing("a.svs", times=1), at_once=at_once, retries=1))
    assert [one.error for one in found] == [None] * 4
    assert found[-1].slide == listed[0]
    found = list(run_cohort(listed, failing("a.svs", times=2), at_once=at_once, retries=1))
    assert isinstance(found[-1].error, SlideReadError)
    assert [one.exit_status for one in found] == [0, 0, 0, 2]
    assert len(list(run_cohort(listed, done, at_once=at_once, retries=1))) == 4  # nothing to try again


def test_an_error_that_nobody_foresaw_is_that_of_its_slide(tmp_path: Path) -> None:
    def work(slide: ListedSlide, progress: Progress) -> SlideDone:
        if slide.path.name == "a.svs":
            raise ZeroDivisionError("division by zero")
        return done(slide, progress)

    listed = slides(tmp_path, {"a.svs": 1, "b.svs": 1})
    first, second = sorted(run_cohort(listed, work), key=lambda one: one.slide.path)
    assert "failed unexpectedly (ZeroDivisionError: division by zero)" in str(first.error)
    assert second.error is None
    with pytest.raises(ZeroDivisionError):  # alone it is a fault of the program
        list(run_cohort(listed[:1], work))


def test_slides_are_worked_on_side_by_side(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=60)

    def work(slide: ListedSlide, progress: Progress) -> SlideDone:
        meeting.wait()
        return done(slide, progress)

    assert len(list(run_cohort(slides(tmp_path, {"a": 1, "b": 1}), work, at_once=2))) == 2


def test_slides_go_by_the_size_of_their_files(tmp_path: Path) -> None:
    listed = slides(tmp_path, {"a": 2, "b": 3, "c": 1})

    def names(order: str) -> list[str]:
        run = run_cohort(ordered(listed, parse_order(order)), done, at_once=1)
        return [one.slide.path.name for one in run]

    assert names("listed") == ["a", "b", "c"]
    assert names("smallest") == ["c", "a", "b"]
    assert names("Largest") == ["b", "a", "c"]
    with pytest.raises(ConfigError, match="no order 'random'; choose one of listed, smallest, largest"):
        parse_order("random")


def test_a_stop_ends_the_slides_at_work_with_their_next_part(tmp_path: Path) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(slide: ListedSlide, progress: Progress) -> SlideDone:
        if slide.path.name == "a":
            begun.wait(60)
        try:
            while slide.path.name == "b":
                begun.set()
                progress(0.5, 1.0)
        except StoppedError:
            ended.set()
            raise
        return done(slide, progress)

    run = run_cohort(slides(tmp_path, {"a": 1, "b": 1}), work)
    next(run)
    with pytest.raises(StoppedError, match="stopped after 1 of 2 slides; repeat the same command"):
        run.throw(KeyboardInterrupt)
    assert ended.is_set()


def test_the_area_of_slides_not_yet_open_is_estimated_from_their_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, *[30.0] * 9])
    monkeypatch.setattr("mitoscope.infer.cohort.time.perf_counter", lambda: next(clock))
    tally = Tally([100, 100, 200])
    assert tally.state() == CohortState(3, 0, 0.0, 0.0, None)
    # 2 mm² of 100 bytes: the other 300 bytes have 6. 20 s of search and 10 s beside it took 30 s.
    tally.finish(0, SlideDone(ListedSlide(Path("a")), tissue_mm2=2.0, search_s=20.0, other_s=10.0))
    assert tally.state() == CohortState(3, 1, 8.0, 2.0, 6 * 10.0 + 2 * 10.0)
    tally.search(1, 1.0, 4.0)
    assert tally.state() == CohortState(3, 1, 12.0, 3.0, 9 * 10.0 + 2 * 10.0)


def test_a_result_that_was_there_says_nothing_of_the_speed() -> None:
    tally = Tally([1, 1])
    tally.finish(0, SlideDone(ListedSlide(Path("a")), tissue_mm2=2.0, kept=True))
    assert tally.state().left_s is None


def test_what_became_of_a_slide_passes_between_processes() -> None:
    slide = ListedSlide(Path("a"), columns={"site": "Utrecht"})
    outcome = SlideDone(slide, error=SlideReadError("went away", where="a", mend="copy it again"))
    again = pickle.loads(pickle.dumps(outcome))
    assert again.slide == slide
    assert str(again.error) == "a: went away; copy it again"


def test_a_cluster_that_grows_gets_more_slides_at_once(tmp_path: Path) -> None:
    size, together, working, lock = [1], 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=60)

    def work(slide: ListedSlide, progress: Progress) -> SlideDone:
        nonlocal together, working
        with lock:
            working += 1
            together = max(together, working)
        if slide.path.name == "a.svs":
            size[0] = 2  # a node has come
        else:
            both.wait()  # for the other one
        with lock:
            working -= 1
        return done(slide, progress)

    listed = slides(tmp_path, {"a.svs": 1, "b.svs": 1, "c.svs": 1})
    assert len(list(run_cohort(listed, work, at_once=lambda: size[0]))) == 3
    assert together == 2
