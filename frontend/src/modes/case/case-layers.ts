import type { WindowShape } from "../../api/types";
import { writeCaption } from "../../viewer/caption";
import { faint, GAP, INTEREST, KEPT } from "../../viewer/colours";
import type { Box, Frame, Point } from "../../viewer/frame";
import { strokeCased, type Layer } from "../../viewer/layer";

export interface DrawnWindow {
  readonly box: Box;
  readonly shape: WindowShape;
  readonly caption: string;
  /** The window that is counted over; others are those that were kept. */
  readonly isCurrent: boolean;
}

/** The windows of a case, rectangles and circles, with what is counted in them. */
export class WindowLayer implements Layer {
  windows: readonly DrawnWindow[] = [];

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    for (const drawn of this.windows) {
      context.beginPath();
      const corners = outlineOf(drawn).map((at) => frame.toScreen(at));
      for (const { x, y } of corners) context.lineTo(x, y);
      context.closePath();
      const colour = drawn.isCurrent ? INTEREST : KEPT;
      strokeCased(context, colour, { width: drawn.isCurrent ? 3 : 2, dash: drawn.isCurrent ? [] : [7, 5] });
      const isCentred = drawn.shape === "circle";
      const { x, y } = frame.toScreen(captionAt(drawn));
      writeCaption(context, drawn.caption, { x: isCentred ? x : x - 1.5, y: y - 2 }, { colour, isCentred });
    }
  }
}

function outlineOf({ box, shape }: DrawnWindow): Point[] {
  const { x, y, width, height } = box;
  if (shape !== "circle") {
    return [
      { x, y },
      { x: x + width, y },
      { x: x + width, y: y + height },
      { x, y: y + height },
    ];
  }
  return Array.from({ length: 128 }, (_, at) => {
    const turn = (at * 2 * Math.PI) / 128;
    return { x: x + (width / 2) * (1 + Math.cos(turn)), y: y + (height / 2) * (1 + Math.sin(turn)) };
  });
}

function captionAt({ box, shape }: DrawnWindow): Point {
  return shape === "circle" ? { x: box.x + box.width / 2, y: box.y } : box;
}

/** What a search could not read, hatched, and the part that it searched, dotted. */
export class SearchLayer implements Layer {
  gaps: readonly Box[] = [];
  part: readonly (readonly Point[])[] = [];

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    for (const ring of this.part) {
      trace(context, frame, ring);
      strokeCased(context, KEPT, { width: 1.5, dash: [2, 5] });
    }
    for (const { x, y, width, height } of this.gaps) {
      const ring = [
        { x, y },
        { x: x + width, y },
        { x: x + width, y: y + height },
        { x, y: y + height },
      ];
      trace(context, frame, ring);
      context.fillStyle = faint(GAP, 0.18);
      context.fill();
      strokeCased(context, GAP, { width: 2, dash: [4, 3] });
      const corner = frame.toScreen(ring[0]!);
      writeCaption(context, "could not be read", { x: corner.x - 1.5, y: corner.y - 2 }, { colour: GAP });
    }
  }
}

function trace(context: CanvasRenderingContext2D, frame: Frame, ring: readonly Point[]): void {
  context.beginPath();
  for (const at of ring) {
    const { x, y } = frame.toScreen(at);
    context.lineTo(x, y);
  }
  context.closePath();
}

/** A plus beside each figure that no model proposed. */
export class AddedLayer implements Layer {
  constructor(
    private readonly cells: () => readonly Point[],
    private readonly radius: number,
  ) {}

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const out = Math.max(this.radius * frame.scale, 4) * 0.75 + 5;
    for (const cell of this.cells()) {
      const { x, y } = frame.toScreen(cell);
      if (x < -30 || y < -30 || x > frame.width + 30 || y > frame.height + 30) continue;
      context.beginPath();
      context.moveTo(x + out - 5, y - out);
      context.lineTo(x + out + 5, y - out);
      context.moveTo(x + out, y - out - 5);
      context.lineTo(x + out, y - out + 5);
      strokeCased(context, INTEREST, { width: 2.5, dash: [] });
    }
  }
}
