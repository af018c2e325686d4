"""Detections: the one currency between detectors, counts, scores and exports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import CANDIDATE, MITOTIC_FIGURE, is_candidate, is_figure
from mitoscope.region import Region

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from matplotlib.axes import Axes

    from mitoscope.slide import Slide


@dataclass(frozen=True, eq=False)
class Searched:
    """What was searched to find detections; None where nobody states it.

    Parameters
    ----------
    mpp : Mpp or None
        µm per level-0 pixel of the slide.
    size : SizePx or None
        Of level 0.
    threshold : float or None
        Scores strictly above it are mitotic figures, the others candidates.
    region : Region or None
        The part that was searched; None for the whole slide.
    gaps : tuple of BoxPx0
        What could not be read.
    calibrated : bool or None
        Whether scores are probabilities: the detector's were calibrated.
    origin : str
        The file or run that states it.
    colour_doubt : str
        Why the colours of the slide cannot be those of H&E; empty where they can, or nobody has looked.
    """

    mpp: Mpp | None = None
    size: SizePx | None = None
    threshold: float | None = None
    region: Region | None = None
    gaps: tuple[BoxPx0, ...] = ()
    calibrated: bool | None = None
    origin: str = ""
    colour_doubt: str = ""


NOT_STATED = Searched()
"""Of detections from a file that says nothing of how they were found."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was found on one slide, in columns of equal length, and what was searched.

    Parameters
    ----------
    x_px0, y_px0 : ndarray of float64, shape (n,)
        Centre of the cell in level-0 pixels of the full slide.
    score : ndarray of float64, shape (n,)
        Score in [0, 1].
    label : ndarray of str, shape (n,)
        Canonical label name.
    source : ndarray of str, shape (n,)
        Who said so: a bundle's name and version, a rater, a file.
    searched : Searched
        Scale, size, threshold, part and gaps of the search; kept by every operation, no part of equality.

    Raises
    ------
    NonFiniteError
        If a coordinate or a score is NaN or infinite (promise 18).
    FormatError
        If the columns differ in length or a score lies outside [0, 1].

    Notes
    -----
    Columns are read-only; every operation returns new detections.
    """

    x_px0: NDArray[np.float64]
    y_px0: NDArray[np.float64]
    score: NDArray[np.float64]
    label: NDArray[np.str_]
    source: NDArray[np.str_]
    searched: Searched = NOT_STATED

    def __post_init__(self) -> None:
        columns: dict[str, NDArray[Any]] = {
            "x_px0": np.array(self.x_px0, dtype=np.float64, ndmin=1),
            "y_px0": np.array(self.y_px0, dtype=np.float64, ndmin=1),
            "score": np.array(self.score, dtype=np.float64, ndmin=1),
            "label": np.array(self.label, dtype=np.str_, ndmin=1),
            "source": np.array(self.source, dtype=np.str_, ndmin=1),
        }
        shapes = {column.shape for column in columns.values()}
        if len(shapes) != 1 or columns["score"].ndim != 1:
            raise FormatError(
                f"columns of one length expected, got {[column.shape for column in columns.values()]}",
                where="detections",
            )
        for name in ("x_px0", "y_px0", "score"):
            if not np.isfinite(columns[name]).all():
                raise NonFiniteError(f"NaN or infinity in column {name}", where="detections")
        if columns["score"].size and not (columns["score"].min() >= 0 and columns["score"].max() <= 1):
            raise FormatError("a score outside [0, 1]", where="detections")
        for name, column in columns.items():
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    @classmethod
    def empty(cls) -> Detections:
        """Return no detections."""
        none = np.empty(0)
        text = np.empty(0, dtype=np.str_)
        return cls(none, none, none, text, text)

    @classmethod
    def of(
        cls,
        points_px0: ArrayLike,
        score: ArrayLike,
        *,
        label: str = MITOTIC_FIGURE.name,
        source: str = "",
        searched: Searched = NOT_STATED,
    ) -> Detections:
        """Build detections of one label and one source.

        Parameters
        ----------
        points_px0 : array_like, shape (n, 2)
            x and y of the centres in level-0 pixels.
        score : array_like, shape (n,)
            Scores in [0, 1].
        label, source : str
            Common to all rows.
        searched : Searched
            What was searched.
        """
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        n = len(points)
        return cls(
            points[:, 0],
            points[:, 1],
            np.asarray(score, dtype=np.float64).reshape(-1),
            np.full(n, label),
            np.full(n, source),
            searched,
        )

    @classmethod
    def concat(cls, parts: Iterable[Detections]) -> Detections:
        """Join detections of one slide, in order; what was searched is that of the first."""
        parts = list(parts)
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.x_px0 for part in parts]),
            np.concatenate([part.y_px0 for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.label for part in parts]),
            np.concatenate([part.source for part in parts]),
            parts[0].searched,
        )

    def __len__(self) -> int:
        return len(self.score)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        return all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(self._columns(), other._columns(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.x_px0, self.y_px0, self.score, self.label, self.source

    @property
    def points_px0(self) -> NDArray[np.float64]:
        """Centres in level-0 pixels, shape (n, 2)."""
        return np.column_stack([self.x_px0, self.y_px0])

    def take(self, index: NDArray[Any]) -> Detections:
        """Return the rows of an index array or a boolean mask, in its order."""
        x, y, score, label, source = (column[index] for column in self._columns())
        return Detections(x, y, score, label, source, self.searched)

    def with_searched(self, searched: Searched) -> Detections:
        """Return the detections with another statement of what was searched."""
        return Detections(self.x_px0, self.y_px0, self.score, self.label, self.source, searched)

    @property
    def stated_label(self) -> NDArray[np.str_]:
        """Labels as files give them: figures that are not above the threshold are candidates, shape (n,)."""
        if self.searched.threshold is None:
            return self.label
        below = self.score <= self.searched.threshold
        # Lists, because arrays of text would cut longer names off.
        names = zip(self.label.tolist(), below.tolist(), strict=True)
        labels = [CANDIDATE.name if low and is_figure(name) else name for name, low in names]
        return np.array(labels, dtype=np.str_)

    def with_candidates_as_figures(self) -> Detections:
        """Return detections of a file with its candidates as mitotic figures below the threshold.

        Where no threshold is stated it is the highest score of a candidate, unless a figure has a lower one:
        then all stays as it is.
        """
        kinds = {name: (is_candidate(name), is_figure(name)) for name in np.unique(self.label).tolist()}
        is_low = np.array([kinds[name][0] for name in self.label.tolist()], dtype=np.bool_)
        if not is_low.any():
            return self
        searched = self.searched
        if searched.threshold is None:
            figures = self.score[np.array([kinds[name][1] for name in self.label.tolist()], dtype=np.bool_)]
            highest = float(self.score[is_low].max())
            if figures.size and figures.min() <= highest:
                return self
            searched = replace(searched, threshold=highest)
        label = np.where(is_low, MITOTIC_FIGURE.name, self.label)
        return Detections(self.x_px0, self.y_px0, self.score, label, self.source, searched)

    def relabelled(self, label: NDArray[np.str_]) -> Detections:
        """Return the detections under other labels, shape (n,)."""
        return Detections(self.x_px0, self.y_px0, self.score, label, self.source, self.searched)

    def above(self, threshold: float) -> Detections:
        """Return the rows whose score is strictly above the threshold."""
        return self.take(self.score > threshold)

    def labelled(self, label: str) -> Detections:
        """Return the rows of one label."""
        return self.take(self.label == label)

    def shift(self, dx_px0: float, dy_px0: float) -> Detections:
        """Return the detections moved by an offset in level-0 pixels."""
        moved = self.x_px0 + dx_px0, self.y_px0 + dy_px0
        return Detections(*moved, self.score, self.label, self.source, self.searched)

    def sort(self) -> Detections:
        """Return the rows by descending score; ties by y, x, label, source, so that the order is one."""
        return self.take(self.order())

    def order(self) -> NDArray[np.intp]:
        """Return the places of the rows as `sort` puts them, shape (n,)."""
        return np.lexsort((self.source, self.label, self.x_px0, self.y_px0, -self.score))

    def with_score(self, score: NDArray[np.float64]) -> Detections:
        """Return the detections with other scores, shape (n,), in the order of the rows."""
        return Detections(self.x_px0, self.y_px0, score, self.label, self.source, self.searched)

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas frame with the columns x, y, score, label and source.

        x and y are centres in level-0 pixels; ``attrs["units"]`` states the units, ``attrs["searched"]`` what
        was searched, as values of JSON. `from_pandas` gives back the same detections.

        Raises
        ------
        ConfigError
            If pandas is not installed (``mitoscope[notebook]``).
        """
        from mitoscope.frames import to_pandas

        return to_pandas(self)

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> Detections:
        """Return the detections of a frame of pandas or GeoPandas.

        Parameters
        ----------
        frame : DataFrame
            With the columns x and y in level-0 pixels. Without ``score`` it is 1, without ``label`` all are
            mitotic figures; ``attrs`` state what was searched, where `to_pandas` made the frame.

        Raises
        ------
        FormatError
            If a column is missing, a score lies outside [0, 1], or the attributes cannot be read.
        NonFiniteError
            If a coordinate or a score is NaN or infinite.
        """
        from mitoscope.frames import from_pandas

        return from_pandas(frame)

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """Return the frame of `to_pandas` with the centres as points, in level-0 pixels, y downwards.

        Raises
        ------
        ConfigError
            If GeoPandas is not installed (``mitoscope[notebook]``).
        """
        from mitoscope.frames import to_geopandas

        return to_geopandas(self)

    def to_napari(self) -> list[tuple[Any, dict[str, Any], str]]:
        """Return one layer of points for napari, as data, settings and kind; napari is not needed for it.

        Places are in µm where the resolution is known, else in level-0 pixels. To show it:
        ``viewer.add_layer(napari.layers.Layer.create(*layer))``.
        """
        from mitoscope.frames import to_napari

        return to_napari(self)

    def to_spatialdata(self) -> Any:
        """Return a SpatialData object with the points ``detections``, in level-0 px and in µm.

        Raises
        ------
        ConfigError
            If the package spatialdata is not installed.
        """
        from mitoscope.frames import to_spatialdata

        return to_spatialdata(self)

    def plot(self, slide: Slide | str | Path | None = None, ax: Axes | None = None) -> Axes:
        """Draw where the detections lie, on the picture of the slide where it is given.

        Parameters
        ----------
        slide : Slide, str or Path, optional
            The slide, or its file.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. Its coordinates are level-0 pixels.
        """
        from mitoscope.slide.showing import plot_detections

        return plot_detections(self, slide, ax)

    def gallery(self, slide: Slide | str | Path, *, n: int = 12, side_um: float = 32.0) -> NDArray[Any]:
        """Draw the detections of highest score as crops.

        Parameters
        ----------
        slide : Slide, str or Path
            The slide, or its file.
        n : int
            At most so many.
        side_um : float
            Side of a crop in µm.

        Returns
        -------
        ndarray of matplotlib Axes, shape (rows, columns)
        """
        from mitoscope.slide.showing import plot_crops

        return plot_crops(self, slide, n=n, side_um=side_um)

    def _repr_html_(self) -> str:
        from mitoscope.slide.showing import detections_html

        return detections_html(self)
