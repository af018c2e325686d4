import type { BoardColumns, Slide } from "../api/types";
import type { Picture } from "./slide-view";

/** A slide that can be shown. */
export type OpenSlide = Slide & { width: number; height: number; max_level: number };

export function isOpenSlide(slide: Slide | undefined): slide is OpenSlide {
  return slide?.state === "ok" && slide.width !== null && slide.height !== null && slide.max_level !== null;
}

export function pictureOf(slide: OpenSlide): Picture {
  return {
    width: slide.width,
    height: slide.height,
    mpp: slide.mpp,
    resolution: slide.mpp_x === null || slide.mpp_y === null ? null : { x: slide.mpp_x, y: slide.mpp_y },
    tileSize: slide.tile_size,
    maxLevel: slide.max_level,
    tileUrl: (level, column, row) => `/api/slides/${slide.id}/tiles/${level}/${column}_${row}.jpg`,
  };
}

export function boardPicture(board: BoardColumns): Picture {
  return {
    width: board.width,
    height: board.height,
    mpp: null,
    tileSize: board.tile_size,
    maxLevel: board.max_level,
    tileUrl: (level, column, row) => `/api/boards/${board.id}/tiles/${level}/${column}_${row}.jpg`,
  };
}

/** A square of `size` level-0 pixels around a place. */
export function cropUrl(slide: number, x: number, y: number, size: number): string {
  return `/api/slides/${slide}/crop.jpg?x=${x.toFixed(1)}&y=${y.toFixed(1)}&size=${size}`;
}
