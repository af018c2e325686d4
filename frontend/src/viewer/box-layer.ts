import { writeCaption } from "./caption";
import type { Box, Frame } from "./frame";
import { strokeCased, type Layer } from "./layer";

export interface DrawnBox {
  readonly box: Box;
  readonly colour: string;
  readonly width?: number;
  readonly dash?: number[];
  readonly caption?: string;
}

/** Rectangles over the slide: the hot spot, a field of view, boxes of the crowd. */
export class BoxLayer implements Layer {
  boxes: readonly DrawnBox[] = [];

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    for (const drawn of this.boxes) this.drawBox(context, frame, drawn);
  }

  private drawBox(context: CanvasRenderingContext2D, frame: Frame, drawn: DrawnBox): void {
    const { x, y, width, height } = drawn.box;
    const corners = [
      [x, y],
      [x + width, y],
      [x + width, y + height],
      [x, y + height],
    ] as const;
    context.beginPath();
    for (const [cornerX, cornerY] of corners) {
      context.lineTo(frame.screenX(cornerX, cornerY), frame.screenY(cornerX, cornerY));
    }
    context.closePath();
    strokeCased(context, drawn.colour, { width: drawn.width ?? 2.5, dash: drawn.dash ?? [] });
    const corner = frame.toScreen(drawn.box);
    writeCaption(context, drawn.caption ?? "", { x: corner.x - 1.5, y: corner.y - 2 }, { colour: drawn.colour });
  }
}
