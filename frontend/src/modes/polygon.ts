import type { Point } from "../viewer/frame";

/** Whether a point lies in a polygon (even-odd rule). */
export function contains(vertices: readonly Point[], { x, y }: Point): boolean {
  let inside = false;
  vertices.forEach((one, at) => {
    const other = vertices[(at + vertices.length - 1) % vertices.length]!;
    const crosses = one.y > y !== other.y > y && x < ((other.x - one.x) * (y - one.y)) / (other.y - one.y) + one.x;
    if (crosses) inside = !inside;
  });
  return inside;
}

/** The area within a polygon, in the square of its unit. */
export function area(vertices: readonly Point[]): number {
  const twice = vertices.reduce((sum, one, at) => {
    const next = vertices[(at + 1) % vertices.length]!;
    return sum + one.x * next.y - next.x * one.y;
  }, 0);
  return Math.abs(twice) / 2;
}

/** The edge of a polygon nearest to a point: the index of its first vertex, and how far it is. */
export function nearestEdge(vertices: readonly Point[], at: Point): { edge: number; distance: number } {
  let best = { edge: -1, distance: Infinity };
  vertices.forEach((one, edge) => {
    const distance = toSegment(at, one, vertices[(edge + 1) % vertices.length]!);
    if (distance < best.distance) best = { edge, distance };
  });
  return best;
}

function toSegment(at: Point, one: Point, other: Point): number {
  const [dx, dy] = [other.x - one.x, other.y - one.y];
  const square = dx * dx + dy * dy || 1;
  const part = Math.min(Math.max(((at.x - one.x) * dx + (at.y - one.y) * dy) / square, 0), 1);
  return Math.hypot(at.x - one.x - part * dx, at.y - one.y - part * dy);
}
