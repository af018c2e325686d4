"""Points of cells in files: as they were, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.curation.board.coordinates import CellPoints, made_from, read_points, write_points
from mitoscope.errors import FormatError, NonFiniteError

POINTS = CellPoints(np.array([3, 1, 2]), np.arange(6.0).reshape(3, 2))


def test_points_read_back_as_they_were(tmp_path: Path) -> None:
    write_points(tmp_path / "a.npz", POINTS, made_from="UMAP of x")
    again = read_points(tmp_path / "a.npz")
    assert again.cell_id.tolist() == [3, 1, 2]
    assert np.array_equal(again.points, POINTS.points)
    assert again.fingerprint() == POINTS.fingerprint()
    assert made_from(tmp_path / "a.npz") == "UMAP of x"
    assert made_from(tmp_path / "none.npz") is None


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"points": np.zeros((2, 2))}, "cannot be read"),
        ({"cell": np.array([1, 1]), "points": np.zeros((2, 2))}, "contains a cell twice"),
        ({"cell": np.array([1, 2, 3]), "points": np.zeros((2, 2))}, r"\(3,\) cells and points of shape"),
        ({"cell": np.array(["a", "b"]), "points": np.zeros((2, 2))}, "arrays of <U1"),
        ({"cell": np.array([1, 2]), "points": np.zeros(2)}, r"shape \(n, d\) expected"),
        ({"cell": np.array([1, {}], dtype=object), "points": np.zeros((2, 2))}, "cannot be read"),
    ],
)
def test_archives_that_are_no_points(tmp_path: Path, arrays: dict[str, np.ndarray], match: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=match):
        read_points(tmp_path / "a.npz")


def test_points_that_are_not_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", cell=np.array([1, 2]), points=np.array([[0.0], [np.nan]]))
    with pytest.raises(NonFiniteError, match="row 1"):
        read_points(tmp_path / "a.npz")
