"""Numbers and names as the reader sees them."""

import pytest

from mitoscope.wording import (
    plural,
    say_area,
    say_hpf,
    say_number,
    say_rate,
    say_score,
    say_size,
    say_threshold,
    shown_name,
)


@pytest.mark.parametrize(
    ("area_mm2", "text"),
    [(0.0, "0 mm²"), (0.06554, "0.0655 mm²"), (2.37, "2.37 mm²"), (12.0, "12.00 mm²"), (1234.4, "1,234 mm²")],
)
def test_area(area_mm2: float, text: str) -> None:
    assert say_area(area_mm2) == text


@pytest.mark.parametrize(("area_mm2", "text"), [(2.37, "10 HPF"), (0.237, "1 HPF"), (2.0, "8.44 HPF")])
def test_high_power_fields(area_mm2: float, text: str) -> None:
    assert say_hpf(area_mm2) == text


def test_size_has_one_unit() -> None:
    assert say_size(1777.6, 1333.2) == "1.78 × 1.33 mm"
    assert say_size(256.0, 64.0) == "256 × 64 µm"


def test_rate_without_area() -> None:
    assert say_rate(37, 2.37) == "15.6 per mm²"
    assert say_rate(28, 0.00696) == "4,023 per mm²"
    assert say_rate(0, 0.0) == "no tissue"


@pytest.mark.parametrize(
    ("threshold", "text"),
    [(0.5, "0.50"), (0.0, "0.00"), (1.0, "1.00"), (0.625, "0.625"), (0.61234, "0.6123")],
)
def test_threshold(threshold: float, text: str) -> None:
    assert say_threshold(threshold) == text


def test_score_and_plural() -> None:
    assert say_score(0.99951) == "1.000"
    assert plural(1, "figure") == "figure"
    assert plural(0, "figure") == "figures"
    assert [say_number(1, "study"), say_number(2, "study"), say_number(1200, "class")] == [
        "1 study",
        "2 studies",
        "1,200 classes",
    ]


def test_names_lose_what_cannot_be_shown() -> None:
    assert shown_name("a\x00b\ncé\udcff😀") == "a\ufffdb\ufffdcé\ufffd😀"
    shown_name("\udcff").encode()
