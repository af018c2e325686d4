"""Slides: what is known of them, deep-zoom tiles, overviews, crops, and where their tissue lies."""

from __future__ import annotations

import base64
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from mitoscope.errors import LevelError, RegionError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import read_thumbnail
from mitoscope.web.deep_zoom import TILE_PX, encode_jpeg, max_level, read_scaled, read_tile
from mitoscope.web.forms import COORDINATE_MAX, Answer, LevelNumber, Pair, SlideId, TileNumber, described
from mitoscope.web.refusal import no_such
from mitoscope.web.slides import ShownSlide, SlideState
from mitoscope.web.state import LookerHere, StateHere

router = APIRouter()

_Place = Annotated[float, Query(ge=-COORDINATE_MAX, le=COORDINATE_MAX, allow_inf_nan=False)]
_KEPT = {"cache-control": "private, max-age=86400"}
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}


class HintByNuclei(Answer):
    """The usual resolution in µm/px next to that which nuclei suggest, and the range it may lie in."""

    mpp: float
    low: float
    high: float


class Slide(Answer):
    """A slide: size in level-0 px, mpp in µm a px, tiles in px; null where nobody has said it.

    The hints are the mpp that the objective and the size of nuclei suggest, where the file states none.
    """

    id: int
    name: str
    case: str | None
    width: int | None
    height: int | None
    mpp: float | None
    mpp_x: float | None
    mpp_y: float | None
    tile_size: int
    max_level: int | None
    state: SlideState
    reason: str | None
    mend: str | None
    hint_mpp: float | None
    hint_by_nuclei: HintByNuclei | None


class Tissue(Answer):
    """Where a slide has tissue: its area in mm², a mask, and the level-0 px a pixel of it in x and y.

    The rows of the mask are packed bits, each row a whole number of bytes, in base64.
    """

    mm2: float
    width: int
    height: int
    px0_per_pixel: Pair
    rows: str


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg", headers=_KEPT)


def describe_slide(shown: ShownSlide) -> Slide:
    """Return a slide."""
    record, info = shown.record, shown.info
    size = record.size if info is None else info.size
    mpp = record.mpp if info is None else info.mpp
    return described(
        Slide,
        shown,
        name=record.name,
        case=record.case,
        width=None if size is None else size.width,
        height=None if size is None else size.height,
        mpp=None if mpp is None else mpp.mean,
        mpp_x=None if mpp is None else mpp.x,
        mpp_y=None if mpp is None else mpp.y,
        hint_by_nuclei=None if shown.nuclei is None else described(HintByNuclei, shown.nuclei),
        tile_size=TILE_PX,
        max_level=None if size is None else max_level(size),
    )


@router.get(
    "/api/slides/{slide_id}/tiles/{level}/{column}_{row}.jpg", response_class=Response, responses=_JPEG
)
def tile(
    slide_id: SlideId,
    level: LevelNumber,
    column: TileNumber,
    row: TileNumber,
    state: StateHere,
    visitor: LookerHere,  # noqa: ARG001 it must be one
) -> Response:
    """Return a tile of the deep-zoom pyramid of a slide."""
    slide = state.slides.open(slide_id)

    def make() -> bytes:
        return encode_jpeg(read_tile(slide, level, column, row))

    try:
        return _jpeg(state.tiles.get((slide.info.fingerprint, level, column, row), make))
    except (LevelError, RegionError):
        raise no_such("tile") from None


@router.get("/api/slides/{slide_id}/thumbnail.jpg", response_class=Response, responses=_JPEG)
def thumbnail(
    slide_id: SlideId,
    state: StateHere,
    visitor: LookerHere,  # noqa: ARG001 it must be one
    size: Annotated[int, Query(ge=64, le=2048)] = 512,
) -> Response:
    """Return the whole slide in small."""
    slide = state.slides.open(slide_id)
    key = (slide.info.fingerprint, "thumbnail", size)
    return _jpeg(state.tiles.get(key, lambda: encode_jpeg(read_thumbnail(slide, size).rgb)))


@router.get("/api/slides/{slide_id}/crop.jpg", response_class=Response, responses=_JPEG)
def crop(
    slide_id: SlideId,
    x: _Place,
    y: _Place,
    state: StateHere,
    visitor: LookerHere,  # noqa: ARG001 it must be one
    size: Annotated[int, Query(ge=16, le=1024)] = 128,
    size_um: Annotated[float | None, Query(gt=0, le=2000, allow_inf_nan=False)] = None,
) -> Response:
    """Return a square around a place; `size` is its side in pixels of the answer."""
    slide = state.slides.open(slide_id)
    side = size if size_um is None else max(1, round(size_um / slide.info.mpp.mean))
    box = BoxPx(round(x - side / 2), round(y - side / 2), side, side)
    key = (slide.info.fingerprint, "crop", box, size)
    return _jpeg(
        state.tiles.get(key, lambda: encode_jpeg(read_scaled(slide, box, SizePx(size, size)), quality=90))
    )


@router.get("/api/slides/{slide_id}/tissue")
def tissue(slide_id: SlideId, state: StateHere, visitor: LookerHere) -> Tissue:  # noqa: ARG001
    """Return where the slide has tissue, as rows of packed bits, and how much."""
    found = state.tissue(slide_id)
    packed = np.packbits(found.mask, axis=1)
    return {
        "mm2": found.area_mm2,
        "width": found.mask.shape[1],
        "height": found.mask.shape[0],
        "px0_per_pixel": list(found.px0_per_pixel),
        "rows": base64.b64encode(packed.tobytes()).decode("ascii"),
    }
