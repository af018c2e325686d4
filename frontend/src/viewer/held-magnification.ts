import { LEAST_TO_LABEL, magnificationOf, scaleOf } from "./magnification";

const KEY = "mitoscope.magnification";
/** A field of 480 × 270 µm fits a laptop's screen, and cells can be told apart. */
const FIRST = 20;
/** Stands for a resolution that a picture does not state: only the scale is kept then. */
const ASSUMED_MPP = 0.25;

/** The scale of a rater's own magnification, the same on every screen, field and slide: CSS pixels for one level-0 pixel. */
export function heldScale(mpp: number | null): number {
  const kept = Number(localStorage.getItem(KEY));
  return scaleOf(kept >= LEAST_TO_LABEL ? kept : FIRST, mpp ?? ASSUMED_MPP);
}

/** Keep a magnification as the rater's own; an overview is none to work at. */
export function holdMagnification(scale: number, mpp: number | null): void {
  const magnification = magnificationOf(scale, mpp ?? ASSUMED_MPP);
  if (magnification < LEAST_TO_LABEL || isSame(magnification, Number(localStorage.getItem(KEY)))) return;
  localStorage.setItem(KEY, magnification.toFixed(3));
}

function isSame(one: number, other: number): boolean {
  return Math.abs(one - other) < one * 0.001;
}
