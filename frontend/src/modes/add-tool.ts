import { RADIUS_PX0 } from "../viewer/cells-layer";
import type { CellTable } from "../viewer/cell-table";
import type { Point } from "../viewer/frame";
import type { SlideView } from "../viewer/slide-view";
import type { Pointer, Tool } from "../viewer/tool";

interface Options {
  /** Tables of the cells that are known here. */
  readonly known: readonly CellTable[];
  onAdd(at: Point): void;
  onKnown(): void;
}

/** A click where no cell is known adds one: what the readers before have missed. */
export class AddTool implements Tool {
  constructor(
    private readonly view: SlideView,
    private readonly options: Options,
  ) {}

  click({ slide }: Pointer): void {
    const { width, height } = this.view.picture;
    if (slide.x < 0 || slide.y < 0 || slide.x >= width || slide.y >= height) return;
    if (this.isKnown(slide)) this.options.onKnown();
    else this.options.onAdd(slide);
  }

  cursor({ slide }: Pointer): string {
    return this.isKnown(slide) ? "not-allowed" : "crosshair";
  }

  private isKnown({ x, y }: Point): boolean {
    return this.options.known.some((table) => table.nearest(x, y, RADIUS_PX0) !== null);
  }
}
