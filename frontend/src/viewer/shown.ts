import type { Box, Frame, Point } from "./frame";

const [COLUMNS, ROWS] = [32, 18];
/** A sliver at the rim of a field lies below the width of a cell. */
const ENOUGH = 0.98;

/** Which parts of a field were really on the screen: large enough, and with their pixels there. */
export class Shown {
  private readonly seen = new Uint8Array(COLUMNS * ROWS);
  private count = 0;

  constructor(
    readonly box: Box,
    /** CSS pixels for one level-0 pixel, at least. */
    private readonly leastScale: number,
  ) {}

  /** Note what a frame shows; `isSharp` says whether the pixels of a place are there, as sharp as the screen is. */
  note(frame: Frame, isSharp: (at: Point) => boolean): void {
    if (this.isAll || frame.scale < this.leastScale) return;
    for (let part = 0; part < this.seen.length; part += 1) {
      if (this.seen[part]) continue;
      const at = this.middle(part);
      if (!isInView(frame, at) || !isSharp(at)) continue;
      this.seen[part] = 1;
      this.count += 1;
    }
  }

  /** In [0, 1]. */
  get fraction(): number {
    const fraction = this.count / this.seen.length;
    return fraction >= ENOUGH ? 1 : fraction;
  }

  get isAll(): boolean {
    return this.fraction === 1;
  }

  /** Whether a part that was not shown is in view, and large enough: only its pixels are missing. */
  isWaiting(frame: Frame): boolean {
    return frame.scale >= this.leastScale && this.seen.some((isSeen, part) => !isSeen && isInView(frame, this.middle(part)));
  }

  /** The first part that was not shown and those right of and below it, as large as a view may be; null when all was. */
  rest(width: number, height: number): Box | null {
    if (this.isAll) return null;
    const left = this.seen.reduce<Point[]>((parts, isSeen, part) => (isSeen ? parts : [...parts, this.middle(part)]), []);
    const half = { x: this.box.width / COLUMNS / 2, y: this.box.height / ROWS / 2 };
    const top = Math.min(...left.map((at) => at.y)) - half.y;
    const row = left.filter((at) => at.y < top + height);
    const start = Math.min(...row.map((at) => at.x)) - half.x;
    const near = row.filter((at) => at.x < start + width);
    const end = { x: Math.max(...near.map((at) => at.x)) + half.x, y: Math.max(...near.map((at) => at.y)) + half.y };
    return { x: start, y: top, width: end.x - start, height: end.y - top };
  }

  private middle(part: number): Point {
    const { x, y, width, height } = this.box;
    return { x: x + ((part % COLUMNS) + 0.5) * (width / COLUMNS), y: y + (Math.floor(part / COLUMNS) + 0.5) * (height / ROWS) };
  }
}

function isInView(frame: Frame, at: Point): boolean {
  const { x, y } = frame.toScreen(at);
  return x >= 0 && y >= 0 && x < frame.width && y < frame.height;
}

/** The part of a field that lies on the slide: beside it there is nothing to see. */
export function onSlide(field: Box, slide: { width: number; height: number }): Box {
  const [x, y] = [Math.max(field.x, 0), Math.max(field.y, 0)];
  const right = Math.min(field.x + field.width, slide.width);
  const bottom = Math.min(field.y + field.height, slide.height);
  return { x, y, width: Math.max(right - x, 1), height: Math.max(bottom - y, 1) };
}
