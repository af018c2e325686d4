"""From embeddings to two dimensions, and from there to places of a grid in fractions."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.board.grid import Grid
from mitoscope.errors import ConfigError, FormatError, NonFiniteError

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
        mend = "pip install 'mitoscope[embed]', or give coordinates of your own"
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


def on_grid(coordinates: NDArray[np.floating], grid: Grid) -> NDArray[np.float64]:
    """Return coordinates spread over a grid, in columns and rows: (0, 0) is the centre of its first place.

    Both axes are stretched to the whole board, as for CMC; an axis without extent lies in its middle.

    Parameters
    ----------
    coordinates : ndarray of float, shape (n, 2)
    grid : Grid

    Raises
    ------
    FormatError, NonFiniteError
        As :func:`check_points`.
    """
    points = check_points(coordinates, "coordinates", dimensions=2)
    if not len(points):
        return points
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    last = np.array([grid.columns - 1, grid.rows - 1], dtype=np.float64)
    placed = np.where(extent > 0, (points - low) / np.where(extent > 0, extent, 1.0), 0.5) * last
    return np.asarray(placed, dtype=np.float64)
