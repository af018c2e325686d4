import { INK, PAPER } from "./colours";
import type { Point } from "./frame";

export const FONT = "600 13px system-ui, 'Liberation Sans', sans-serif";

interface Options {
  /** Of the plate. */
  readonly colour?: string;
  /** Whether the place is that of the middle of the plate's lower edge, else of its left end. */
  readonly isCentred?: boolean;
}

/** Words on the slide, on a plate of a colour: readable on tissue and glass. */
export function writeCaption(context: CanvasRenderingContext2D, text: string, at: Point, { colour = INK, isCentred = false }: Options = {}): void {
  if (!text) return;
  context.font = FONT;
  const width = context.measureText(text).width + 12;
  const left = isCentred ? at.x - width / 2 : at.x;
  context.fillStyle = colour;
  context.fillRect(left, at.y - 20, width, 20);
  context.fillStyle = PAPER;
  context.textAlign = "left";
  context.fillText(text, left + 6, at.y - 5);
}
