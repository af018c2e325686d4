import type { Cell } from "./cell-table";
import { colourAt } from "./density";
import type { Box } from "./frame";

/** Squares along the longer side of the slide. */
const SQUARES = 256;
/** Standard deviation of the Gaussian by which cells spread: about the radius of half a high-power field. */
const SPREAD_UM = 120;
/** Its limits in squares: less would be single squares, more would take long. */
const SIGMA = { least: 1.6, most: 16 };
/** Below this part of what one cell gives its own square nothing is drawn: the tails are no cells. */
const TAIL = 0.1;

export type HeatKind = "density" | "score";

/** Where cells are dense, or score high: a value a square. */
export interface HeatMap {
  readonly columns: number;
  readonly rows: number;
  /** Of a square, in level-0 pixels. */
  readonly side: number;
  /** Cells a square, or the mean score there. */
  readonly values: Float32Array;
  /** Cells a square, spread: where there are none there is no value. */
  readonly weights: Float32Array;
  /** The weight from which on there is a value. */
  readonly least: number;
  /** The value of the last colour: the highest density, or a score of 1. */
  readonly highest: number;
}

/** Spread cells over a slide of a size in level-0 pixels; for scores, those cells that have one. */
export function heatMap(cells: Iterable<Cell>, size: { width: number; height: number; mpp?: number | null }, kind: HeatKind): HeatMap {
  const side = Math.max(size.width, size.height) / SQUARES;
  const [columns, rows] = [Math.ceil(size.width / side), Math.ceil(size.height / side)];
  const weights = new Float32Array(columns * rows);
  const sums = new Float32Array(columns * rows);
  for (const { x, y, score } of cells) {
    if (kind === "score" && score === null) continue;
    const column = Math.min(Math.max(Math.floor(x / side), 0), columns - 1);
    const row = Math.min(Math.max(Math.floor(y / side), 0), rows - 1);
    weights[row * columns + column]! += 1;
    sums[row * columns + column]! += score ?? 0;
  }
  const sigma = size.mpp ? Math.min(Math.max(SPREAD_UM / (side * size.mpp), SIGMA.least), SIGMA.most) : SIGMA.least;
  const kernel = gaussian(sigma);
  const spread = blurred(weights, columns, rows, kernel);
  const common = { columns, rows, side, weights: spread, least: TAIL / (2 * Math.PI * sigma * sigma) };
  if (kind === "density") return { ...common, values: spread, highest: spread.reduce((most, one) => Math.max(most, one), 0) };
  const values = blurred(sums, columns, rows, kernel).map((sum, at) => (spread[at]! > 0 ? sum / spread[at]! : 0));
  return { ...common, values, highest: 1 };
}

/** Along rows and then along columns, a Gaussian; what lies beyond the border is left out of its mean. */
function blurred(values: Float32Array, columns: number, rows: number, kernel: readonly number[]): Float32Array {
  const across = along(values, kernel, { length: columns, lines: rows, step: 1, stride: columns });
  return along(across, kernel, { length: rows, lines: columns, step: columns, stride: 1 });
}

function gaussian(sigma: number): number[] {
  const reach = Math.ceil(2.5 * sigma);
  return Array.from({ length: 2 * reach + 1 }, (_, at) => Math.exp(-((at - reach) ** 2) / (2 * sigma * sigma)));
}

interface Lines {
  readonly length: number;
  readonly lines: number;
  /** From one value of a line to the next, and from one line to the next. */
  readonly step: number;
  readonly stride: number;
}

function along(values: Float32Array, kernel: readonly number[], { length, lines, step, stride }: Lines): Float32Array {
  const reach = (kernel.length - 1) / 2;
  const found = new Float32Array(values.length);
  for (let line = 0; line < lines; line += 1) {
    for (let at = 0; at < length; at += 1) {
      let [sum, weight] = [0, 0];
      for (let by = Math.max(-reach, -at); by <= Math.min(reach, length - 1 - at); by += 1) {
        const part = kernel[by + reach]!;
        sum += part * values[line * stride + (at + by) * step]!;
        weight += part;
      }
      found[line * stride + at * step] = sum / weight;
    }
  }
  return found;
}

/** A heat map as a picture of one pixel a square, and what it covers in level-0 pixels. */
export function pictureOfHeat(map: HeatMap): { picture: HTMLCanvasElement; box: Box } | null {
  const { columns, rows, side } = map;
  const picture = document.createElement("canvas");
  Object.assign(picture, { width: columns, height: rows });
  const context = picture.getContext("2d");
  if (!context) return null;
  const image = new ImageData(columns, rows);
  map.values.forEach((value, at) => {
    if (map.weights[at]! < map.least) return;
    const part = map.highest > 0 ? Math.min(value / map.highest, 1) : 0;
    image.data.set([...colourAt(part), 70 + 90 * part], 4 * at);
  });
  context.putImageData(image, 0, 0);
  return { picture, box: { x: 0, y: 0, width: columns * side, height: rows * side } };
}
