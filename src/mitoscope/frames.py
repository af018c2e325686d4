"""Detections in the libraries that a notebook goes on with: pandas, GeoPandas, napari and SpatialData.

A frame holds what `Detections` hold: its columns are those of the detections, its ``attrs`` state the units
and what was searched, as values of JSON, so that they are kept in Parquet as well. Nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from shapely.geometry import mapping, shape

from mitoscope.detections import Detections, Searched
from mitoscope.errors import ConfigError, FormatError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.region import Region

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

COLUMNS: Final = ("x", "y", "score", "label", "source")
UNITS: Final = {"x": "level-0 px", "y": "level-0 px", "score": "0 to 1", "mpp": "µm per level-0 px"}
"""What the columns and the resolution are measured in."""
_YELLOW: Final = "#f0e442"


def to_pandas(found: Detections) -> pd.DataFrame:
    """Return detections as a frame with the columns x, y, score, label and source; see `from_pandas`."""
    pandas = library("pandas", extra="notebook")
    columns = {
        "x": found.x_px0,
        "y": found.y_px0,
        "score": found.score,
        "label": found.label.tolist(),
        "source": found.source.tolist(),
    }
    frame: pd.DataFrame = pandas.DataFrame(columns, columns=list(COLUMNS))
    frame.attrs.update(units=dict(UNITS), searched=searched_as_json(found.searched))
    return frame


def to_geopandas(found: Detections) -> gpd.GeoDataFrame:
    """Return the same frame with the centres as points, in level-0 pixels with y downwards."""
    geopandas = library("geopandas", extra="notebook")
    frame = to_pandas(found)
    points = geopandas.points_from_xy(found.x_px0, found.y_px0)
    placed: gpd.GeoDataFrame = geopandas.GeoDataFrame(frame, geometry=points)
    placed.attrs.update(frame.attrs)
    return placed


def from_pandas(frame: pd.DataFrame) -> Detections:
    """Return the detections of a frame, with what its ``attrs`` state of the search.

    Raises
    ------
    FormatError
        If a column is missing, or what was searched cannot be read.
    NonFiniteError
        If a coordinate or a score is NaN or infinite.
    """
    missing = [name for name in ("x", "y") if name not in frame.columns]
    if missing:
        raise FormatError(
            f"no column {' and '.join(missing)}", where="frame", mend="x and y are centres in level-0 pixels"
        )
    n = len(frame)

    def column(name: str, absent: object) -> Any:
        return frame[name].to_numpy() if name in frame.columns else np.full(n, absent)

    return Detections(
        column("x", 0.0),
        column("y", 0.0),
        column("score", 1.0),
        np.array(column("label", MITOTIC_FIGURE.name).tolist(), dtype=np.str_),
        np.array(column("source", "").tolist(), dtype=np.str_),
        searched_from_json(frame.attrs.get("searched") or {}),
    )


def searched_as_json(searched: Searched) -> dict[str, Any]:
    """Return what was searched as values of JSON: boxes as x, y, width, height, the region as GeoJSON."""
    mpp, size, region = searched.mpp, searched.size, searched.region
    return {
        "mpp": None if mpp is None else [mpp.x, mpp.y],
        "size_px0": None if size is None else [size.width, size.height],
        "threshold": searched.threshold,
        "region_px0": None if region is None else _as_lists(mapping(region.shape)),
        "region_name": None if region is None else region.name,
        "gaps_px0": [[gap.x, gap.y, gap.width, gap.height] for gap in searched.gaps],
        "calibrated": searched.calibrated,
        "origin": searched.origin,
        "colour_doubt": searched.colour_doubt,
    }


def searched_from_json(values: Mapping[str, Any]) -> Searched:
    """Return what was searched from what `searched_as_json` wrote; what is missing is not stated.

    Raises
    ------
    FormatError
        If a value is not of that form.
    """
    try:
        mpp, size, region = (values.get(name) for name in ("mpp", "size_px0", "region_px0"))
        name = values.get("region_name")
        return Searched(
            mpp=None if mpp is None else Mpp(*mpp),
            size=None if size is None else SizePx(*size),
            threshold=values.get("threshold"),
            region=None if region is None else Region(shape(region), *(() if name is None else (name,))),
            gaps=tuple(BoxPx0(*gap) for gap in values.get("gaps_px0", ())),
            calibrated=values.get("calibrated"),
            origin=values.get("origin", ""),
            colour_doubt=values.get("colour_doubt", ""),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise FormatError(f"attrs['searched'] cannot be read ({error})", where="frame") from None


def to_napari(found: Detections) -> list[tuple[Any, dict[str, Any], str]]:
    """Return the detections as one layer of points for napari: data, settings and the kind of layer.

    ``viewer.add_layer(napari.layers.Layer.create(*layer))`` shows it. Places are rows and columns in µm where
    the resolution is known, else in level-0 pixels, as of an image layer with the same ``scale``.
    """
    mpp = found.searched.mpp
    settings = {
        "name": found.searched.origin or "detections",
        "scale": (1.0, 1.0) if mpp is None else (mpp.y, mpp.x),
        "units": ("pixel", "pixel") if mpp is None else ("um", "um"),
        "features": {"score": found.score, "label": found.stated_label, "source": found.source},
        "size": 50.0 if mpp is None else 12.5 / mpp.mean,
        "symbol": "ring",
        "face_color": "transparent",
        "border_color": _YELLOW,
    }
    return [(found.points_px0[:, ::-1], settings, "points")]


def to_spatialdata(found: Detections) -> Any:
    """Return the detections as points of a SpatialData object, in level-0 px and, where known, in µm.

    Returns
    -------
    spatialdata.SpatialData
        With the points ``detections``. Coordinate system ``global`` is that of level-0 pixels, ``um`` the one
        in micrometres.

    Raises
    ------
    ConfigError
        If the package is not installed.
    """
    spatialdata = library("spatialdata")
    models, transformations = (import_module(f"spatialdata.{name}") for name in ("models", "transformations"))
    systems = {"global": transformations.Identity()}
    if (mpp := found.searched.mpp) is not None:
        systems["um"] = transformations.Scale([mpp.x, mpp.y], axes=("x", "y"))
    frame = to_pandas(found)
    frame["label"] = found.stated_label.tolist()
    points = models.PointsModel.parse(
        frame, coordinates={"x": "x", "y": "y"}, feature_key="label", transformations=systems
    )
    return spatialdata.SpatialData(points={"detections": points}, attrs=dict(frame.attrs))


def library(name: str, *, extra: str | None = None) -> Any:
    """Return a library that the base install does not hold.

    Raises
    ------
    ConfigError
        If it is not installed; says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != name:
            raise
        package = name if extra is None else f"'mitoscope[{extra}]'"
        raise ConfigError(f"{name} is not installed", mend=f"pip install {package}") from None


def _as_lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_lists(item) for key, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value
