/**
 * The colours of what is drawn over tissue: the same in every theme, as tissue does not change with it.
 * What base.css says of the same things (`--tumour`, `--interest`, `--exclusion`, `--slide-ground`) is the same, and a test holds it.
 * The colours of classes are the study's.
 */
export const INK = "#1b1f24";
export const PAPER = "#ffffff";
/** Windows that are counted over, fields, regions of interest. */
export const INTEREST = "#0072b2";
export const TUMOUR = "#0b7a5b";
export const EXCLUSION = "#b34700";
/** What has been looked at, on the overview map. */
export const SEEN = "#0b6e52";
/** Windows that are kept beside the one that is counted over, and the part that was searched. */
export const KEPT = "#5b6770";
/** What a search could not read. */
export const GAP = "#6f3fa0";
/** Candidates that nobody has judged: the yellow of the report, which needs a dark casing. */
export const CANDIDATE = "#f0e442";
export const MEASURED = "#7a1fa2";
export const EYEPIECE = "#00695c";
/** A box that somebody in a crowd has drawn. */
export const CROWD_BOX = "#e03131";
/** A lasso on the board. */
export const LASSO = "#0068a3";
/** A cell without a class, where a colour is needed. */
export const NO_CLASS = "#868e96";
/** Below a slide whose tiles are on their way. */
export const SLIDE_GROUND = "#f3f1f3";

/** A colour through which tissue is seen. */
export function faint(colour: string, opacity: number): string {
  const [red, green, blue] = channelsOf(colour);
  return `rgba(${red},${green},${blue},${opacity})`;
}

/** Red, green and blue of a colour `#rrggbb`, each up to 255. */
export function channelsOf(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
