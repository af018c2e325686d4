"""Embeddings and coordinates of cells in files: NumPy archives without pickle."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.board.coordinates import check_points
from mitoscope.errors import FormatError
from mitoscope.fsio import atomic_write


@dataclass(frozen=True, eq=False)
class CellPoints:
    """A point of each of some cells.

    Parameters
    ----------
    cell_id : ndarray of int64, shape (n,)
        In the store; no two the same.
    points : ndarray of float64, shape (n, d)
        Embeddings, or coordinates in two dimensions.
    """

    cell_id: NDArray[np.int64]
    points: NDArray[np.float64]

    def fingerprint(self) -> str:
        """Return the SHA-256 of cells and points, as 64 hexadecimal digits."""
        digest = hashlib.sha256(np.ascontiguousarray(self.cell_id).tobytes())
        digest.update(np.ascontiguousarray(self.points).tobytes())
        return digest.hexdigest()


def write_points(path: Path, points: CellPoints, *, made_from: str = "") -> None:
    """Write an archive with ``cell`` and ``points``; ``made_from`` says of what.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with atomic_write(path) as stream:
        np.savez(stream, cell=points.cell_id, points=points.points, made_from=np.array(made_from))


def read_points(path: Path) -> CellPoints:
    """Read an archive with ``cell``, shape (n,), and ``points``, shape (n, d).

    Raises
    ------
    FormatError
        If it is none, or a cell stands in it twice.
    NonFiniteError
        If a point is NaN or infinite.
    """
    return _read(path)[0]


def made_from(path: Path) -> str | None:
    """Return of what an archive says to be made; None where there is none that can be read."""
    try:
        return _read(path)[1]
    except FormatError:
        return None


def _read(path: Path) -> tuple[CellPoints, str]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            cell, points = archive["cell"], archive["points"]
            origin = str(archive["made_from"]) if "made_from" in archive else ""
    except FileNotFoundError:
        raise FormatError("no such file", where=path) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        mend = "an .npz with the arrays 'cell' and 'points' is wanted"
        raise FormatError(f"cannot be read ({error})", where=path, mend=mend) from None
    if not np.issubdtype(cell.dtype, np.integer) or not np.issubdtype(points.dtype, np.number):
        raise FormatError(f"arrays of {cell.dtype} and {points.dtype}", where=path, mend="numbers are wanted")
    if cell.ndim != 1 or len(cell) != len(points):
        raise FormatError(f"{cell.shape} cells and points of shape {points.shape}", where=path)
    if len(np.unique(cell)) != len(cell):
        raise FormatError("a cell stands in it twice", where=path)
    return CellPoints(cell.astype(np.int64), check_points(points, str(path))), origin
