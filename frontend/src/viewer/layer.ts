import { faint, PAPER } from "./colours";
import type { Frame } from "./frame";

/** Something drawn over the slide, in the order in which it was added. */
export interface Layer {
  /** Draw in CSS pixels; `context` is scaled for the screen's pixel density and left as it was found. */
  draw(context: CanvasRenderingContext2D, frame: Frame): void;
}

/** A line with a casing, readable on pink and violet as on glass. */
export function strokeCased(context: CanvasRenderingContext2D, colour: string, { width = 2, casing = faint(PAPER, 0.9), dash = [] as number[] } = {}): void {
  context.lineJoin = "round";
  context.setLineDash([]);
  context.strokeStyle = casing;
  context.lineWidth = width + 2.5;
  context.stroke();
  context.setLineDash(dash);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}
