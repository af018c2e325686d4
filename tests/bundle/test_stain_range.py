"""The stains that a network has seen: what lies outside is told in words."""

from __future__ import annotations

import numpy as np
import pytest

from mitoscope.bundle import StainRange


def test_the_range_is_that_of_nearly_all_cases() -> None:
    red = np.linspace(0.1, 0.3, 201)
    cases = [(r, 2 * r, r) for r in red.tolist()]
    found = StainRange.of([*cases, (5.0, 5.0, 5.0)])
    assert found.cases == 202
    np.testing.assert_allclose(found.low, (0.102, 0.204, 0.102), atol=1e-3)
    np.testing.assert_allclose(found.high, (0.299, 0.598, 0.299), atol=2e-3)
    assert StainRange.of([(0.1, 0.2, 0.1)]).complaint((0.1, 0.2, 0.1)) is None


def test_what_lies_outside_is_named() -> None:
    seen = StainRange(low=(0.1, 0.2, 0.1), high=(0.3, 0.5, 0.2), cases=9)
    assert seen.complaint((0.2, 0.2, 0.2)) is None
    assert (
        seen.complaint((0.2, 0.61, 0.05)) == "green 0.61 (seen: 0.20 to 0.50), blue 0.05 (seen: 0.10 to 0.20)"
    )


def test_ends_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="low end"):
        StainRange(low=(0.4, 0.2, 0.1), high=(0.3, 0.5, 0.2), cases=9)
