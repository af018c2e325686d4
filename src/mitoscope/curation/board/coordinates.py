"""From embeddings to two dimensions, and from there to places of a grid in fractions; kept in a file."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConfigError, FormatError, NonFiniteError
from mitoscope.extras import how_to_install
from mitoscope.fsio import atomic_write

NEIGHBOURS = 15
"""Neighbours that UMAP keeps together (its default, used for CMC; FACTS D6)."""
MINIMUM_CROPS = 4
"""UMAP needs a few crops to have neighbours at all."""


def project(
    embeddings: NDArray[np.floating], *, neighbours: int = NEIGHBOURS, seed: int = 0
) -> NDArray[np.float64]:
    """Return embeddings in two dimensions by UMAP, each dimension standardised before (CMC; FACTS D6).

    Parameters
    ----------
    embeddings : ndarray of float, shape (n, d)
        One row a crop.
    neighbours : int
        Of UMAP; fewer where there are fewer crops.
    seed : int
        The same seed gives the same coordinates, on one thread.

    Returns
    -------
    ndarray of float64, shape (n, 2)

    Raises
    ------
    ConfigError
        If umap-learn is not installed.
    FormatError
        If there are fewer than 4 crops or the array is not of two dimensions.
    NonFiniteError
        If an embedding is NaN or infinite.
    """
    checked = check_points(embeddings, "embeddings")
    if len(checked) < MINIMUM_CROPS:
        raise FormatError(f"{len(checked)} crops", where="embeddings", mend=f"a board needs {MINIMUM_CROPS}")
    umap = _umap(min(neighbours, len(checked) - 1), seed)
    with warnings.catch_warnings():
        # Crops in separate clusters: UMAP lays these out one by one and is fine.
        warnings.filterwarnings("ignore", "Graph is not fully connected")
        placed = umap.fit_transform(standardised(checked))
    return np.asarray(placed, dtype=np.float64)


def _umap(neighbours: int, seed: int):  # type: ignore[no-untyped-def]
    try:
        with warnings.catch_warnings():
            # It says that TensorFlow is missing, which a board does not need.
            warnings.simplefilter("ignore", ImportWarning)
            import umap
    except ImportError:
        mend = f"{how_to_install('embed')}, or give your own coordinates"
        raise ConfigError("umap-learn is not installed", where="board", mend=mend) from None
    return umap.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1)


def standardised(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return points with mean 0 and standard deviation 1 in each dimension; a constant one becomes 0."""
    spread = points.std(axis=0)
    scaled = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(scaled, dtype=np.float32)


def check_points(
    points: NDArray[np.floating], what: str, *, dimensions: int | None = None
) -> NDArray[np.float64]:
    """Return points as float64, shape (n, d).

    Raises
    ------
    FormatError
        If they have another shape.
    NonFiniteError
        If one is NaN or infinite.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or (dimensions is not None and array.shape[1] != dimensions) or not array.shape[1]:
        wanted = "(n, d)" if dimensions is None else f"(n, {dimensions})"
        raise FormatError(f"shape {wanted} expected, got {array.shape}", where=what)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise NonFiniteError(f"NaN or infinity in row {row}", where=what)
    return array


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
        If it is none, or contains a cell twice.
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
        raise FormatError("contains a cell twice", where=path)
    return CellPoints(cell.astype(np.int64), check_points(points, str(path))), origin
