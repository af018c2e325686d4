/** Optical convention of scanners: 40× is 0.25 µm per pixel. */
const UM_PER_PX_AT_1 = 10;

export const PRESETS = [5, 10, 20, 40, 60] as const;

/** The magnification at which one level-0 pixel covers `scale` CSS pixels. */
export function magnificationOf(scale: number, mpp: number): number {
  return (UM_PER_PX_AT_1 * scale) / mpp;
}

/** The CSS pixels for one level-0 pixel at a magnification. */
export function scaleOf(magnification: number, mpp: number): number {
  return (magnification * mpp) / UM_PER_PX_AT_1;
}

export function formatMagnification(magnification: number): string {
  const digits = magnification < 1 ? 2 : magnification < 10 ? 1 : 0;
  return `${magnification.toFixed(digits).replace(/\.0+$/, "")}×`;
}

/** Below it no one can tell a mitotic figure from a look-alike: nothing is labelled unasked, nothing counts as seen. */
export const LEAST_TO_LABEL = 10;

/** Of pictures that state no resolution: CSS pixels for one level-0 pixel, as of a slide scanned at 40×. */
const LEAST_SCALE = 0.25;

/** "About 10×": a magnification that was asked for and rounded on its way is not below itself. */
const TOLERANCE = 0.99;

/** The least scale at which a picture is labelled, and counts as seen: CSS pixels for one level-0 pixel. */
export function leastScale(mpp: number | null): number {
  return (mpp === null ? LEAST_SCALE : scaleOf(LEAST_TO_LABEL, mpp)) * TOLERANCE;
}
