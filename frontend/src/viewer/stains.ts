/**
 * Optical densities of haematoxylin and eosin in red, green and blue (Ruifrok and Johnston 2001, Table 1), as in
 * `mitoscope.tissue.colour`. What is neither is taken to be at right angles to both.
 */
export const HAEMATOXYLIN = [0.65, 0.7, 0.29] as const;
export const EOSIN = [0.07, 0.99, 0.11] as const;

type Vector = readonly [number, number, number];

function unit([x, y, z]: Vector): Vector {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/** By which the optical densities of a colour are weighed to give the amount of haematoxylin: a row of the inverse. */
export function haematoxylinRow(): Vector {
  const [h, e] = [unit(HAEMATOXYLIN), unit(EOSIN)];
  const over = cross(e, cross(h, e));
  const scale = 1 / dot(h, over);
  return [over[0] * scale, over[1] * scale, over[2] * scale];
}

/** Densities above it (0.6 % of the light) are shown alike: 8 bits a density are fine enough so. */
const DENSITY_MAX = 2.2;

/** For each of 256 values of light the density, as a share of `DENSITY_MAX`. */
export function densityTable(): number[] {
  return Array.from({ length: 256 }, (_, value) => Math.min(-Math.log10(Math.max(value, 1) / 255) / DENSITY_MAX, 1));
}

/** The rows by which densities become those of haematoxylin alone. */
export function haematoxylinMatrix(): readonly Vector[] {
  const row = haematoxylinRow();
  return unit(HAEMATOXYLIN).map((part): Vector => [part * row[0], part * row[1], part * row[2]]);
}

/** For each of 256 densities, as shares of `DENSITY_MAX`, the light that passes, in [0, 1]. */
export function lightTable(): number[] {
  return Array.from({ length: 256 }, (_, value) => 10 ** ((-value / 255) * DENSITY_MAX));
}
