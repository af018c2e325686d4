import type { RegionKind } from "../api/types";
import { EXCLUSION, faint, INTEREST, PAPER, TUMOUR } from "./colours";
import type { Frame, Point } from "./frame";
import { strokeCased, type Layer } from "./layer";

export interface Outline {
  readonly vertices: readonly Point[];
  readonly kind: RegionKind;
}

/** A polygon at work, with its corners. */
export interface Draft extends Outline {
  readonly closed: boolean;
}

interface Look {
  readonly line: string;
  readonly fill: string;
  readonly dash: number[];
}

const LOOKS: Readonly<Record<RegionKind, Look>> = {
  tumour: { line: TUMOUR, fill: faint(TUMOUR, 0.07), dash: [] },
  exclusion: { line: EXCLUSION, fill: faint(EXCLUSION, 0.14), dash: [8, 5] },
  "region of interest": { line: INTEREST, fill: faint(INTEREST, 0.05), dash: [2, 4] },
};

/** Polygons of a slide: tumour drawn through, exclusions dashed, regions of interest dotted; one may be at work. */
export class RegionsLayer implements Layer {
  outlines: readonly Outline[] = [];
  /** The polygon that is being drawn or edited, with its corners. */
  draft: Draft | null = null;

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    for (const outline of this.outlines) {
      this.path(context, frame, outline.vertices, true);
      this.fill(context, outline.kind);
      this.stroke(context, outline.kind);
    }
    if (this.draft) this.drawDraft(context, frame, this.draft);
  }

  private drawDraft(context: CanvasRenderingContext2D, frame: Frame, draft: Draft): void {
    this.path(context, frame, draft.vertices, draft.closed);
    this.fill(context, draft.kind);
    this.stroke(context, draft.kind);
    for (const vertex of draft.vertices) {
      const { x, y } = frame.toScreen(vertex);
      context.beginPath();
      context.arc(x, y, 4.5, 0, 2 * Math.PI);
      context.fillStyle = PAPER;
      context.fill();
      context.lineWidth = 2;
      context.strokeStyle = LOOKS[draft.kind].line;
      context.stroke();
    }
  }

  private path(context: CanvasRenderingContext2D, frame: Frame, vertices: readonly Point[], closed: boolean): void {
    context.beginPath();
    vertices.forEach((vertex, at) => {
      const { x, y } = frame.toScreen(vertex);
      if (at === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    });
    if (closed) context.closePath();
  }

  private fill(context: CanvasRenderingContext2D, kind: RegionKind): void {
    context.fillStyle = LOOKS[kind].fill;
    context.fill();
  }

  private stroke(context: CanvasRenderingContext2D, kind: RegionKind): void {
    strokeCased(context, LOOKS[kind].line, { width: 2, dash: LOOKS[kind].dash });
  }
}
