import { Frame } from "./frame";

/** CSS pixels beyond each edge of the view: so far the view pans before the marks are drawn again. */
const MARGIN = 192;

/** Thousands of marks, drawn once into a picture larger than the view and moved with it while it pans. */
export class MarksPicture {
  private readonly canvas = document.createElement("canvas");
  private drawn: { key: string; frame: Frame } | null = null;
  private last: Frame | null = null;

  /** Draw what `paint` paints; `key` names all that it depends on but the place. */
  draw(context: CanvasRenderingContext2D, frame: Frame, key: string, paint: (on: CanvasRenderingContext2D, frame: Frame) => void): void {
    const isPanning = this.last !== null && isAlike(this.last, frame);
    this.last = frame;
    if (!isPanning) return paint(context, frame); // a picture of each step of a zoom would be drawn for nothing
    if (!this.holds(frame, key)) this.paint(frame, key, paint);
    const { drawn } = this;
    if (!drawn) return paint(context, frame);
    const at = frame.toScreen(drawn.frame.centre);
    const { width, height } = drawn.frame;
    context.drawImage(this.canvas, Math.round(at.x - width / 2), Math.round(at.y - height / 2), width, height);
  }

  private holds(frame: Frame, key: string): boolean {
    const { drawn } = this;
    if (drawn?.key !== key || drawn.frame.scale !== frame.scale || drawn.frame.degrees !== frame.degrees) return false;
    const at = frame.toScreen(drawn.frame.centre);
    const inside = (offset: number, larger: number, view: number) => Math.abs(offset) <= (larger - view) / 2;
    return inside(at.x - frame.width / 2, drawn.frame.width, frame.width) && inside(at.y - frame.height / 2, drawn.frame.height, frame.height);
  }

  private paint(frame: Frame, key: string, paint: (on: CanvasRenderingContext2D, frame: Frame) => void): void {
    const larger = new Frame(frame.centre, frame.scale, frame.degrees, frame.width + 2 * MARGIN, frame.height + 2 * MARGIN);
    const density = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(larger.width * density), height: Math.round(larger.height * density) });
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.setTransform(density, 0, 0, density, 0, 0);
    paint(context, larger);
    this.drawn = { key, frame: larger };
  }
}

function isAlike(one: Frame, other: Frame): boolean {
  return one.scale === other.scale && one.degrees === other.degrees && one.width === other.width && one.height === other.height;
}
