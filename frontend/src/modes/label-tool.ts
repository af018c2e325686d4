import type { Work } from "../state/work";
import type { Cell } from "../viewer/cell-table";
import { RADIUS_PX0, type CellsLayer } from "../viewer/cells-layer";
import type { Point } from "../viewer/frame";
import type { SlideView } from "../viewer/slide-view";
import type { Pointer, Tool } from "../viewer/tool";

/** The second click of a double click comes within it. */
const DOUBLE_MS = 400;

interface Options {
  readonly slide: number;
  /** The class that a click gives. */
  label(): number;
  onSelect(cell: number | null): void;
  /** Labels at a place, after a question where the view is too small to tell cells apart. */
  whenLargeEnough(at: Point, act: () => void): void;
}

/** A click on tissue makes a cell, a click on a cell selects it, a drag with Alt or Shift moves one; else a drag pans. */
export class LabelTool implements Tool {
  private madeAt = -Infinity;
  private dragged: { cell: Cell; from: Point; moved: boolean } | null = null;

  constructor(
    private readonly view: SlideView,
    private readonly layer: CellsLayer,
    private readonly work: Work,
    private readonly options: Options,
  ) {}

  private at(pointer: Pointer): Cell | null {
    const reach = Math.max(RADIUS_PX0, 9 / this.view.frame.scale);
    const { slide } = pointer;
    return this.work.table.nearest(slide.x, slide.y, reach, (cell) => this.layer.isShown(cell));
  }

  press(pointer: Pointer): boolean {
    const cell = isToMove(pointer) ? this.at(pointer) : null;
    this.dragged = cell && { cell, from: { x: cell.x, y: cell.y }, moved: false };
    return cell !== null;
  }

  drag(pointer: Pointer): void {
    if (!this.dragged) return;
    this.dragged.moved = true;
    this.work.table.update(this.dragged.cell.id, pointer.slide);
    this.view.redraw();
  }

  release(pointer: Pointer): void {
    const { dragged } = this;
    this.dragged = null;
    if (!dragged?.moved) return;
    const far = Math.hypot(pointer.slide.x - dragged.from.x, pointer.slide.y - dragged.from.y) * this.view.frame.scale;
    if (far < 4) this.work.table.update(dragged.cell.id, dragged.from);
    else this.work.move(dragged.cell.id, pointer.slide, dragged.from);
  }

  /** The new cell is not selected: the next key is about the next click. */
  click(pointer: Pointer): void {
    const cell = this.at(pointer);
    if (cell && performance.now() - this.madeAt < DOUBLE_MS) return; // a double click makes a cell, and no more
    if (cell) return this.options.onSelect(cell.id);
    const { x, y } = pointer.slide;
    const { width, height } = this.view.picture;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    this.options.onSelect(null);
    const label = this.options.label();
    this.options.whenLargeEnough({ x, y }, () => {
      this.work.create(this.options.slide, { x, y }, label);
      this.madeAt = performance.now();
    });
  }

  cursor(pointer: Pointer): string {
    if (!this.at(pointer)) return "crosshair";
    return isToMove(pointer) ? "move" : "pointer";
  }
}

/** Window managers take Alt for themselves in places: Shift does as well. */
function isToMove({ alt, shift }: Pointer): boolean {
  return alt || shift;
}
