"""Numbers as the user reads them, on the terminal, in notes, on the page of a signature and in reports."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from mitoscope.geometry import HPF_AREA_MM2

if TYPE_CHECKING:  # help and errors are shown without the libraries that compute
    from mitoscope.statistics import Interval


def shown_name(name: str) -> str:
    """Return a name from outside fit to be shown: control characters and lone surrogates are replaced."""
    if name.isprintable():
        return name
    return "".join(
        "\ufffd" if unicodedata.category(character) in ("Cc", "Cs") else character for character in name
    )


def plural(n: int, singular: str) -> str:
    """Return the noun that goes with a number."""
    if n == 1:
        return singular
    if singular.endswith("y"):
        return f"{singular[:-1]}ies"
    return f"{singular}es" if singular.endswith("s") else f"{singular}s"


def say_number(n: int, singular: str) -> str:
    """Return a number with its noun.

    >>> say_number(1, "slide"), say_number(1200, "class")
    ('1 slide', '1,200 classes')
    """
    return f"{n:,} {plural(n, singular)}"


def say_area(area_mm2: float) -> str:
    """Return an area with at least three significant digits and its unit."""
    return f"{_area(area_mm2)} mm²"


def say_part(part_mm2: float, whole_mm2: float) -> str:
    """Return a part of an area.

    >>> say_part(0.06144, 2.37)
    '0.0614 of 2.37 mm²'
    """
    return f"{_area(part_mm2)} of {say_area(whole_mm2)}"


def _area(area_mm2: float) -> str:
    if area_mm2 >= 100:
        return f"{area_mm2:,.0f}"
    return f"{area_mm2:.2f}" if area_mm2 >= 1 else f"{area_mm2:.3g}"


def say_hpf(area_mm2: float) -> str:
    """Return an area as high-power fields of 0.237 mm²."""
    return f"{area_mm2 / HPF_AREA_MM2:.3g} HPF"


def say_size(width_um: float, height_um: float) -> str:
    """Return width and height in mm, or in µm where the shorter is below a tenth of a millimetre."""
    if min(width_um, height_um) >= 100:
        return f"{width_um / 1000:.2f} × {height_um / 1000:.2f} mm"
    return f"{width_um:.0f} × {height_um:.0f} µm"


def say_rate(n: int, area_mm2: float) -> str:
    """Return a number per mm²."""
    if area_mm2 <= 0:
        return "no tissue"
    rate = n / area_mm2
    return f"{rate:,.0f} per mm²" if rate >= 100 else f"{rate:.3g} per mm²"


def say_expected(number: float) -> str:
    """Return a number of figures that need not be whole."""
    return f"{number:,.0f}" if number >= 99.95 else f"{number:.1f}"


def say_range(interval: Interval) -> str:
    """Return both ends of an interval of numbers of figures; whole numbers as such."""
    ends = interval.as_list()
    if all(end == round(end) for end in ends):
        return " to ".join(f"{end:,.0f}" for end in ends)
    return " to ".join(say_expected(end) for end in ends)


def say_share(share: float) -> str:
    """Return a probability in percent; what is not certain is not called so."""
    if 0 < share < 0.005:
        text = "< 1 %"
    elif 0.995 <= share < 1:
        text = "> 99 %"
    else:
        text = f"{share * 100:.0f} %"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def say_score(score: float) -> str:
    """Return a score with three decimals."""
    return f"{score:.3f}"


def say_threshold(threshold: float) -> str:
    """Return a threshold with two decimals or as many as it has, up to four."""
    text = f"{threshold:.4f}".rstrip("0")
    return text if len(text) >= 4 else f"{threshold:.2f}"
