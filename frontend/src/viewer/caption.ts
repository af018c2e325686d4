import type { Point } from "./frame";

const FONT = "600 13px system-ui, 'Liberation Sans', sans-serif";

/** Words on the slide, on a plate of a colour: readable on tissue and glass. */
export function writeCaption(context: CanvasRenderingContext2D, text: string, at: Point, colour = "#1b1f24"): void {
  context.font = FONT;
  const width = context.measureText(text).width + 12;
  context.fillStyle = colour;
  context.fillRect(at.x, at.y - 20, width, 20);
  context.fillStyle = "#fff";
  context.textAlign = "left";
  context.fillText(text, at.x + 6, at.y - 5);
}
