import type { Box } from "./frame";

interface Placed {
  readonly x: number;
  readonly y: number;
}

/** About this many points share a square of the grid. */
const POINTS_PER_SQUARE = 8;

/** Points found by place: sorted into squares once, so that a view costs what it shows. */
export class GridIndex<T extends Placed> {
  private readonly side: number;
  private readonly columns: number;
  private readonly rows: number;
  private readonly left: number;
  private readonly top: number;
  /** The points of square s are `order[start[s]]` to `order[start[s + 1] - 1]`. */
  private readonly start: Uint32Array;
  private readonly order: Uint32Array;

  constructor(private readonly points: readonly T[]) {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const { x, y } of points) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    [this.left, this.top] = points.length ? [left, top] : [0, 0];
    const [width, height] = points.length ? [right - left, bottom - top] : [0, 0];
    const squares = Math.max(1, points.length / POINTS_PER_SQUARE);
    this.side = Math.max(Math.sqrt((width * height) / squares), Math.max(width, height) / 4096, 1);
    this.columns = Math.floor(width / this.side) + 1;
    this.rows = Math.floor(height / this.side) + 1;
    this.start = new Uint32Array(this.columns * this.rows + 1);
    this.order = new Uint32Array(points.length);
    this.sort();
  }

  private square({ x, y }: Placed): number {
    return Math.floor((y - this.top) / this.side) * this.columns + Math.floor((x - this.left) / this.side);
  }

  private sort(): void {
    const { start, order, points } = this;
    for (const point of points) start[this.square(point) + 1]! += 1;
    for (let square = 1; square < start.length; square += 1) start[square]! += start[square - 1]!;
    const next = start.slice();
    points.forEach((point, index) => {
      order[next[this.square(point)]!++] = index;
    });
  }

  private range(low: number, length: number, origin: number, count: number): [number, number] {
    const first = Math.floor((low - origin) / this.side);
    const last = Math.floor((low + length - origin) / this.side);
    return [Math.max(first, 0), Math.min(last, count - 1)];
  }

  /** The points of a half-open box, square by square. */
  in(box: Box): T[] {
    const found: T[] = [];
    const [first, last] = this.range(box.x, box.width, this.left, this.columns);
    const [top, bottom] = this.range(box.y, box.height, this.top, this.rows);
    for (let row = top; row <= bottom; row += 1) {
      const begin = this.start[row * this.columns + first];
      const end = this.start[row * this.columns + last + 1];
      if (begin === undefined || end === undefined) continue;
      for (let at = begin; at < end; at += 1) {
        const point = this.points[this.order[at]!]!;
        const inside = point.x >= box.x && point.x < box.x + box.width && point.y >= box.y && point.y < box.y + box.height;
        if (inside) found.push(point);
      }
    }
    return found;
  }

  /** How many points lie in the squares that a box touches: cheap, and never too few. */
  atMost(box: Box): number {
    const [first, last] = this.range(box.x, box.width, this.left, this.columns);
    const [top, bottom] = this.range(box.y, box.height, this.top, this.rows);
    let count = 0;
    for (let row = top; row <= bottom; row += 1) {
      count += (this.start[row * this.columns + last + 1] ?? 0) - (this.start[row * this.columns + first] ?? 0);
    }
    return count;
  }
}
