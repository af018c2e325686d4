"""Grading schemes: whole, without overlap, cited; fields of microscopes in mm²."""

from __future__ import annotations

import pytest

from mitoscope.count import GradingRule, MicroscopeField, find_scheme, schemes
from mitoscope.errors import ConfigError


def rules() -> list[GradingRule]:
    """Return every scheme on everything that it is stated for."""
    found = []
    for scheme in schemes().values():
        for over in scheme.over:
            field = None if over.area_mm2 is not None else MicroscopeField(over.diameter_mm or 0.5)
            found.append(scheme.rule(field))
    return found


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.scheme.name} {rule.area_mm2:.2f}")
def test_every_count_is_in_one_band(rule: GradingRule) -> None:
    for count in range(200):
        assert sum(count in band for band in rule.bands) == 1
        assert count in rule.band_of(count)
    assert rule.bands[-1].last is None


def test_every_scheme_names_its_source_and_where_it_was_read() -> None:
    for name, scheme in schemes().items():
        assert scheme.name == name
        assert all((scheme.title, scheme.published, scheme.note, scheme.source, scheme.read))


@pytest.mark.parametrize(
    ("name", "diameter_mm", "area_mm2", "edges"),
    [
        ("canine-mast-cell", None, 2.37, (0, 7)),
        ("gep-net", None, 10.0, (0, 10, 101)),
        ("lung-net", None, 2.0, (0, 2, 11)),
        ("meningioma", 0.45, 1.59, (0, 4, 20)),
        ("breast-elston-ellis", 0.44, 1.52, (0, 6, 11)),
        ("breast-elston-ellis", 0.59, 2.73, (0, 10, 20)),
        ("breast-elston-ellis", 0.63, 3.12, (0, 12, 23)),
        ("breast-cap", 0.59, 2.73, (0, 10, 21)),
        ("breast-nhsbsp", 0.55, 2.38, (0, 9, 18)),
    ],
)
def test_bands_begin_where_the_sources_say(
    name: str, diameter_mm: float | None, area_mm2: float, edges: tuple[int, ...]
) -> None:
    rule = find_scheme(name).rule(None if diameter_mm is None else MicroscopeField(diameter_mm))
    assert rule.area_mm2 == pytest.approx(area_mm2, abs=0.005)
    assert tuple(band.first for band in rule.bands) == edges


def test_elston_ellis_and_cap_disagree_at_twenty() -> None:
    field = MicroscopeField(0.59)
    scores = [
        find_scheme(name).rule(field).band_of(20).name for name in ("breast-elston-ellis", "breast-cap")
    ]
    assert scores == ["score 3", "score 2"]


def test_mitoses_per_2_mm2_are_counted_over_10() -> None:
    """G2 is 2 to 20 per 2 mm²: with 9 in 10 mm² the rate is 1.8, with 100 it is 20."""
    rule = find_scheme("gep-net").rule()
    assert [rule.band_of(n).name for n in (9, 10, 100, 101)] == ["G1", "G2", "G2", "G3"]


def test_the_field_follows_from_field_number_and_objective() -> None:
    field = MicroscopeField.of(22, 40)
    assert field.diameter_mm == pytest.approx(0.55)
    assert field.area_mm2 == pytest.approx(0.2376, abs=5e-5)
    assert field.fields_in(2.37) == pytest.approx(9.975, abs=1e-3)


@pytest.mark.parametrize("diameter", [0.0, -1.0, float("nan"), float("inf"), 31.0])
def test_what_is_no_field_is_refused(diameter: float) -> None:
    with pytest.raises(ConfigError, match="no field"):
        MicroscopeField(diameter)
    with pytest.raises(ConfigError, match="no objective"):
        MicroscopeField.of(22, diameter if diameter <= 0 else float("nan"))


def test_what_a_source_does_not_state_is_not_interpolated() -> None:
    with pytest.raises(ConfigError, match=r"0\.44, 0\.59, 0\.63 mm, not of 0\.55 mm"):
        find_scheme("breast-elston-ellis").rule(MicroscopeField.of(22, 40))
    with pytest.raises(ConfigError, match="needs the field"):
        find_scheme("breast-elston-ellis").rule()
    with pytest.raises(ConfigError, match="states no size"):
        find_scheme("meningioma").rule()
    with pytest.raises(ConfigError, match="not over fields"):
        find_scheme("gep-net").rule(MicroscopeField(0.5))
    assert find_scheme("breast-cap").rule(MicroscopeField(0.594)).area_mm2 > 2.73


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="canine-mast-cell, gep-net"):
        find_scheme("grade")
