import type { Cell } from "./cell-table";
import { channelsOf } from "./colours";
import type { Box } from "./frame";

/** The scale of the report's density map (magma, reversed; Smith and van der Walt, CC0): none to most. */
export const ANCHORS = ["#fcfdbf", "#feca8d", "#fd9668", "#f1605d", "#cd4071", "#9e2f7f", "#721f81", "#440f76", "#180f3d"];

const SQUARES = 220;

/** How many cells lie where, as a picture of one pixel a square. */
export interface DensityMap {
  readonly picture: HTMLCanvasElement;
  /** What the picture covers, in level-0 pixels. */
  readonly box: Box;
}

export function densityMap(cells: Iterable<Cell>, size: { width: number; height: number }): DensityMap | null {
  const side = Math.max(size.width, size.height) / SQUARES;
  const columns = Math.ceil(size.width / side);
  const rows = Math.ceil(size.height / side);
  const counts = new Float32Array(columns * rows);
  for (const { x, y } of cells) {
    const column = Math.min(Math.max(Math.floor(x / side), 0), columns - 1);
    const row = Math.min(Math.max(Math.floor(y / side), 0), rows - 1);
    counts[row * columns + column]! += 1;
  }
  const picture = document.createElement("canvas");
  picture.width = columns;
  picture.height = rows;
  const context = picture.getContext("2d");
  if (!context) return null;
  context.putImageData(coloured(counts, columns, rows), 0, 0);
  return { picture, box: { x: 0, y: 0, width: columns * side, height: rows * side } };
}

function coloured(counts: Float32Array, columns: number, rows: number): ImageData {
  const image = new ImageData(columns, rows);
  const smooth = smoothed(counts, columns, rows);
  const highest = percentile(smooth, 0.995);
  smooth.forEach((count, at) => {
    if (count === 0) return;
    const part = Math.min(count / highest, 1);
    const [red, green, blue] = colourAt(Math.sqrt(part));
    image.data.set([red, green, blue, 130 + 100 * part], 4 * at);
  });
  return image;
}

/** Means over 3 × 3 squares: single cells spread, noise goes. */
function smoothed(counts: Float32Array, columns: number, rows: number): Float32Array {
  return counts.map((_, at) => {
    const [column, row] = [at % columns, Math.floor(at / columns)];
    let [sum, squares] = [0, 0];
    for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, rows - 1); y += 1) {
      for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, columns - 1); x += 1) {
        sum += counts[y * columns + x]!;
        squares += 1;
      }
    }
    return sum / squares;
  });
}

function percentile(counts: Float32Array, part: number): number {
  const sorted = counts.filter((count) => count > 0).sort();
  return sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)] ?? 1;
}

/** The colour of a part in [0, 1] of the scale. */
export function colourAt(part: number): [number, number, number] {
  const place = part * (ANCHORS.length - 1);
  const low = Math.min(Math.floor(place), ANCHORS.length - 2);
  const [from, to] = [channelsOf(ANCHORS[low]!), channelsOf(ANCHORS[low + 1]!)];
  const mix = (channel: 0 | 1 | 2): number => from[channel] + (to[channel] - from[channel]) * (place - low);
  return [mix(0), mix(1), mix(2)];
}
