"""Progress where nobody watches a terminal: plain lines with the time that is left."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mitoscope import progress as module
from mitoscope.progress import progress


class Clock:
    """A clock that stands still unless told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_line_every_ten_seconds_with_the_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("slide.svs", unit="mm²", decimals=1) as report:
        report(0.0, 10.0)
        for _ in range(4):
            clock.now += 5
            report((clock.now - 100) / 10, 10.0)
    assert capsys.readouterr().err.splitlines() == [
        "slide.svs: 1.0 of 10.0 mm², about 1 min 30 s left",
        "slide.svs: 2.0 of 10.0 mm², about 1 min 20 s left",
    ]


def test_a_line_says_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("slide.svs", unit="mm² of tissue", decimals=1, verb="searched") as report:
        report(0.4, 0.4)
    assert capsys.readouterr().err == "slide.svs: searched 0.4 of 0.4 mm² of tissue\n"


def test_a_resumed_run_counts_its_speed_from_where_it_began(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("slide.svs", unit="mm²", decimals=1) as report:
        report(8.0, 10.0)
        clock.now += 20
        report(9.0, 10.0)
    assert capsys.readouterr().err == "slide.svs: 9.0 of 10.0 mm², about 20 s left\n"


def test_the_end_is_always_said_and_hours_are_readable(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("a", unit="tiles") as report:
        report(0, 1000)
        clock.now += 100
        report(5, 1000)
        clock.now += 1
        report(1000, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "a: 5 of 1000 tiles, about 5 h 31 min left",
        "a: 1000 of 1000 tiles",
    ]


def test_counts_are_whole_numbers(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("painting", unit="tiles") as report:
        report(588.0, 588.0)
    assert capsys.readouterr().err == "painting: 588 of 588 tiles\n"


def test_in_a_notebook_the_bar_is_the_output_of_its_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, bar: Any) -> None:
            shown.append(bar._repr_mimebundle_([], [])["text/html"])

    def display(bar: Any, *, display_id: bool) -> Handle:
        assert display_id
        Handle().update(bar)
        return Handle()

    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=True))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    with progress("slide.svs", unit="mm²", decimals=1, verb="searched") as report:
        report(1.0, 4.0)
        report(4.0, 4.0)
    assert len(shown) == 2
    assert "searched 1.0 of 4.0 mm²" in shown[0]
    assert "searched 4.0 of 4.0 mm²" in shown[1]
    assert capsys.readouterr().err == ""
