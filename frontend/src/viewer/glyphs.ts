import { INK, PAPER } from "./colours";

/** Classes differ in shape as well as colour, so that nothing hangs on telling red from blue. */
export type Shape = "circle" | "square" | "diamond" | "triangle" | "hexagon" | "pentagon";

const SHAPES: readonly Shape[] = ["circle", "square", "diamond", "triangle", "hexagon", "pentagon"];

/** The shape of the n-th class of a study, from 0. */
export function shapeOf(order: number): Shape {
  return SHAPES[order % SHAPES.length]!;
}

const CORNERS: Record<Exclude<Shape, "circle">, [corners: number, turn: number, stretch: number]> = {
  square: [4, Math.PI / 4, 1.2],
  diamond: [4, 0, 1.2],
  triangle: [3, -Math.PI / 2, 1.3],
  hexagon: [6, 0, 1.1],
  pentagon: [5, -Math.PI / 2, 1.15],
};

/** Add the outline of a shape around (x, y) to the current path. */
export function trace(context: CanvasRenderingContext2D, shape: Shape, x: number, y: number, radius: number): void {
  if (shape === "circle") {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const [corners, turn, stretch] = CORNERS[shape];
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = turn + (2 * Math.PI * corner) / corners;
    const [px, py] = [x + radius * stretch * Math.cos(angle), y + radius * stretch * Math.sin(angle)];
    if (corner === 0) context.moveTo(px, py);
    else context.lineTo(px, py);
  }
  context.closePath();
}

/** A mark as a picture, drawn once and stamped thousands of times. */
export function drawGlyph(style: GlyphStyle): HTMLCanvasElement {
  const { shape, colour, radius, density } = style;
  const side = Math.ceil((radius * 1.35 + 5) * 2);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side * density;
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.scale(density, density);
  context.beginPath();
  trace(context, shape, side / 2, side / 2, radius);
  if (radius <= SMALL) fillDot(context, colour ?? PAPER);
  else strokeRing(context, style);
  return canvas;
}

export interface GlyphStyle {
  readonly shape: Shape;
  /** Null for a cell without a label. */
  readonly colour: string | null;
  /** CSS pixels. */
  readonly radius: number;
  readonly selected: boolean;
  /** Of candidates: the yellow of the report, which needs a dark casing. */
  readonly darkCasing: boolean;
  readonly density: number;
}

/** Below this radius in CSS pixels a mark is a filled dot. */
const SMALL = 5;

function fillDot(context: CanvasRenderingContext2D, colour: string): void {
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = INK;
  context.lineWidth = 1;
  context.stroke();
}

function strokeRing(context: CanvasRenderingContext2D, { colour, selected, darkCasing }: GlyphStyle): void {
  const width = selected ? 3.5 : 2;
  context.strokeStyle = colour === null || darkCasing ? INK : PAPER;
  context.globalAlpha = 0.85;
  context.lineWidth = width + 2.4;
  context.stroke();
  context.globalAlpha = 1;
  context.strokeStyle = colour ?? PAPER;
  context.lineWidth = width;
  if (colour === null) context.setLineDash([4, 3]);
  context.stroke();
  context.setLineDash([]);
}
