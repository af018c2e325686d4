import type { Point } from "./frame";

/** µm a level-0 pixel, along x and along y. */
export interface Resolution {
  readonly x: number;
  readonly y: number;
}

/** The length of a line through points in level-0 pixels, in µm. */
export function lengthUm(points: readonly Point[], mpp: Resolution): number {
  let length = 0;
  for (let at = 1; at < points.length; at += 1) {
    const [from, to] = [points[at - 1]!, points[at]!];
    length += Math.hypot((to.x - from.x) * mpp.x, (to.y - from.y) * mpp.y);
  }
  return length;
}

/** The area of a polygon of corners in level-0 pixels, in mm² (shoelace formula). */
export function areaMm2(corners: readonly Point[], mpp: Resolution): number {
  let twice = 0;
  corners.forEach((from, at) => {
    const to = corners[(at + 1) % corners.length]!;
    twice += from.x * to.y - to.x * from.y;
  });
  return (Math.abs(twice) / 2) * (mpp.x / 1000) * (mpp.y / 1000);
}

/** A length with so many digits as a drawn line is worth: "12.4 µm", "1.25 mm". */
export function formatLength(um: number): string {
  if (um >= 1000) return `${(um / 1000).toFixed(um >= 100_000 ? 0 : 2)} mm`;
  return `${um.toFixed(um >= 100 ? 0 : 1)} µm`;
}

/** An area: "318 µm²", "0.0124 mm²", "2.37 mm²". */
export function formatArea(mm2: number): string {
  if (mm2 > 0 && mm2 < 0.001) return `${(mm2 * 1e6).toFixed(0)} µm²`;
  return `${mm2 >= 1 || mm2 === 0 ? mm2.toFixed(2) : mm2.toPrecision(3)} mm²`;
}
