import type { BoxesFeedback } from "../api/types";
import type { Box, Point } from "../viewer/frame";
import type { Pointer, Tool } from "../viewer/tool";

/** x, y, width and height, as the server takes and gives boxes. */
export type BoxList = BoxesFeedback["boxes"][number];

const SIDE_MIN_PX0 = 4;

/** A drag draws a box within the tile, a click selects one; Alt or Shift and a drag pans. */
export class BoxTool implements Tool {
  bounds: Box = { x: 0, y: 0, width: 0, height: 0 };
  onChange: () => void = () => undefined;
  private start: Point | null = null;
  private isDrawing = false;

  constructor(
    private readonly boxes: { value: readonly BoxList[] },
    private readonly selected: { value: number | null },
  ) {}

  press({ slide, shift, alt }: Pointer): boolean {
    if (shift || alt) return false;
    this.start = this.inside(slide);
    this.isDrawing = false;
    return true;
  }

  drag({ slide }: Pointer): void {
    if (!this.start) return;
    const box = boxBetween(this.start, this.inside(slide));
    this.boxes.value = this.isDrawing ? [...this.boxes.value.slice(0, -1), box] : [...this.boxes.value, box];
    this.isDrawing = true;
    this.onChange();
  }

  release(): void {
    const last = this.boxes.value.at(-1);
    const isTiny = this.isDrawing && last && (last[2] < SIDE_MIN_PX0 || last[3] < SIDE_MIN_PX0);
    if (isTiny) this.boxes.value = this.boxes.value.slice(0, -1);
    [this.start, this.isDrawing] = [null, false];
    this.onChange();
  }

  click({ slide }: Pointer): void {
    const at = this.boxes.value.findIndex(([x, y, width, height]) => slide.x >= x && slide.x < x + width && slide.y >= y && slide.y < y + height);
    this.selected.value = at < 0 ? null : at;
    this.onChange();
  }

  cursor(): string {
    return "crosshair";
  }

  private inside({ x, y }: Point): Point {
    const { bounds } = this;
    return {
      x: Math.min(Math.max(x, bounds.x), bounds.x + bounds.width),
      y: Math.min(Math.max(y, bounds.y), bounds.y + bounds.height),
    };
  }
}

function boxBetween(one: Point, other: Point): BoxList {
  const [x, y] = [Math.min(one.x, other.x), Math.min(one.y, other.y)];
  return [x, y, Math.max(one.x, other.x) - x, Math.max(one.y, other.y) - y];
}
