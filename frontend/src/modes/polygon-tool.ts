import type { Point } from "../viewer/frame";
import type { Draft, RegionsLayer } from "../viewer/regions-layer";
import type { SlideView } from "../viewer/slide-view";
import type { Pointer, Tool } from "../viewer/tool";
import { nearestEdge } from "./polygon";

/** CSS pixels within which a corner or an edge is taken. */
const REACH = 9;

/** Draws a polygon corner by corner, or freehand with a drag; moves, adds and takes out corners of a closed one. */
export class PolygonTool implements Tool {
  private before: Draft | null = null;
  private corner: number | null = null;
  private isFreehand = false;

  constructor(
    private readonly view: SlideView,
    private readonly layer: RegionsLayer,
    private readonly onChange: () => void,
    /** Called with the polygon as it was, when something was done to it: a click, or all of a drag. */
    private readonly onDone: (before: Draft) => void = () => undefined,
  ) {}

  private near(pointer: Pointer): number | null {
    const draft = this.layer.draft;
    const reach = REACH / this.view.frame.scale;
    const found = draft?.vertices.findIndex(({ x, y }) => Math.hypot(x - pointer.slide.x, y - pointer.slide.y) < reach);
    return found === undefined || found < 0 ? null : found;
  }

  private put(vertices: readonly Point[], closed?: boolean): void {
    const { draft } = this.layer;
    if (!draft) return;
    this.layer.draft = { ...draft, vertices, closed: closed ?? draft.closed };
    this.onChange();
    this.view.redraw();
  }

  press(pointer: Pointer): boolean {
    const { draft } = this.layer;
    if (!draft) return false;
    this.before = draft;
    this.corner = this.near(pointer);
    if (this.corner !== null) return true;
    if (draft.closed) return this.addCorner(pointer);
    this.isFreehand = pointer.shift;
    return this.isFreehand;
  }

  private addCorner(pointer: Pointer): boolean {
    const vertices = this.layer.draft?.vertices ?? [];
    const { edge, distance } = nearestEdge(vertices, pointer.slide);
    if (distance * this.view.frame.scale > REACH) return false;
    this.corner = edge + 1;
    this.put([...vertices.slice(0, edge + 1), pointer.slide, ...vertices.slice(edge + 1)]);
    return true;
  }

  drag(pointer: Pointer): void {
    const vertices = this.layer.draft?.vertices ?? [];
    if (this.corner !== null) {
      this.put(vertices.map((vertex, at) => (at === this.corner ? pointer.slide : vertex)));
    } else if (this.isFreehand) {
      const last = vertices.at(-1);
      const far = last ? Math.hypot(last.x - pointer.slide.x, last.y - pointer.slide.y) * this.view.frame.scale : Infinity;
      if (far > 6) this.put([...vertices, pointer.slide]);
    }
  }

  release(): void {
    [this.corner, this.isFreehand] = [null, false];
    this.tellDone();
  }

  private tellDone(): void {
    const { before } = this;
    this.before = this.layer.draft;
    if (before && before !== this.layer.draft) this.onDone(before);
  }

  click(pointer: Pointer): void {
    this.before = this.layer.draft;
    this.clicked(pointer);
    this.tellDone();
  }

  private clicked(pointer: Pointer): void {
    const { draft } = this.layer;
    if (!draft) return;
    const corner = this.near(pointer);
    if (corner !== null && pointer.alt) return this.put(draft.vertices.filter((_, at) => at !== corner));
    if (draft.closed) return;
    if (corner === 0 && draft.vertices.length >= 3) return this.put(draft.vertices, true);
    if (corner === null) this.put([...draft.vertices, pointer.slide]);
  }

  doubleClick(): void {
    const { draft } = this.layer;
    this.before = draft;
    if (draft && !draft.closed && draft.vertices.length >= 3) this.put(draft.vertices, true);
    this.tellDone();
  }

  cursor(pointer: Pointer): string {
    if (!this.layer.draft) return "";
    return this.near(pointer) === null ? "crosshair" : "move";
  }
}
