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
