import type { ProposedSoFar } from "../api/types";
import { CANDIDATE, faint, INK } from "./colours";
import type { Frame } from "./frame";
import type { Layer } from "./layer";

const RADIUS = 3;
const CASING = faint(INK, 0.75);

/** Dots where the first network of a running search proposes something; nothing of it is stored. */
export class ProposalsLayer implements Layer {
  proposed: ProposedSoFar = { x: [], y: [], score: [] };

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const { x, y } = this.proposed;
    if (x.length === 0) return;
    context.beginPath();
    x.forEach((column, index) => {
      const place = frame.toScreen({ x: column, y: y[index]! });
      context.moveTo(place.x + RADIUS, place.y);
      context.arc(place.x, place.y, RADIUS, 0, 2 * Math.PI);
    });
    context.fillStyle = CANDIDATE;
    context.strokeStyle = CASING;
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
  }
}
