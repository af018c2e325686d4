import type { BoardColumns, ClassLabel } from "../api/types";
import type { CellTable } from "../viewer/cell-table";
import type { Frame, Point } from "../viewer/frame";
import { strokeCased, type Layer } from "../viewer/layer";
import type { SlideView } from "../viewer/slide-view";
import type { Pointer, Tool } from "../viewer/tool";
import { contains } from "./polygon";

const ACCENT = "#1b1f24";

interface ToolOptions {
  isLasso(): boolean;
  selected(): ReadonlySet<number>;
  onSelect(cells: ReadonlySet<number>): void;
}

/** A click selects a crop, Shift adds one, a lasso selects all crops whose middle it holds. */
export class BoardTool implements Tool {
  /** The lasso as far as it is drawn, in pixels of the board. */
  lasso: Point[] = [];
  private readonly places: Map<string, number>;

  constructor(
    private readonly view: SlideView,
    private readonly board: BoardColumns,
    private readonly options: ToolOptions,
  ) {
    this.places = new Map(board.cell.map((cell, at) => [`${board.column[at]} ${board.row[at]}`, cell]));
  }

  private at({ slide }: Pointer): number | undefined {
    const side = this.board.cell_px;
    return this.places.get(`${Math.floor(slide.x / side)} ${Math.floor(slide.y / side)}`);
  }

  press(pointer: Pointer): boolean {
    if (!this.options.isLasso() && !pointer.alt) return false;
    this.lasso = [pointer.slide];
    return true;
  }

  drag(pointer: Pointer): void {
    this.lasso.push(pointer.slide);
    this.view.redraw();
  }

  release(pointer: Pointer): void {
    const { lasso, board } = this;
    this.lasso = [];
    if (lasso.length < 3) return;
    const side = board.cell_px;
    const found = board.cell.filter((_, at) => contains(lasso, { x: (board.column[at]! + 0.5) * side, y: (board.row[at]! + 0.5) * side }));
    this.options.onSelect(new Set(pointer.shift ? [...this.options.selected(), ...found] : found));
  }

  click(pointer: Pointer): void {
    const cell = this.at(pointer);
    if (cell === undefined) return this.options.onSelect(new Set());
    this.options.onSelect(new Set(pointer.shift ? [...this.options.selected(), cell] : [cell]));
  }

  cursor(pointer: Pointer): string {
    if (this.options.isLasso()) return "crosshair";
    return this.at(pointer) === undefined ? "" : "pointer";
  }
}

interface LayerOptions {
  selected(): ReadonlySet<number>;
  before: ReadonlyMap<number, number>;
  lasso(): readonly Point[];
}

/** Frames of the selected and of the changed crops; all others are in the picture itself. */
export class BoardLayer implements Layer {
  private readonly colours: Map<number, string>;

  constructor(
    private readonly board: BoardColumns,
    private readonly table: CellTable,
    labels: readonly ClassLabel[],
    private readonly options: LayerOptions,
  ) {
    this.colours = new Map(labels.map((label) => [label.id, label.colour]));
  }

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    for (const cell of this.table.in(frame.visible())) {
      if (cell.label !== this.options.before.get(cell.id)) this.frameOf(context, frame, cell, { colour: this.colours.get(cell.label), part: 0.465, width: 4 });
      if (this.options.selected().has(cell.id)) this.frameOf(context, frame, cell, { colour: ACCENT, part: 0.49, width: 1 });
    }
    this.drawLasso(context, frame);
  }

  private frameOf(
    context: CanvasRenderingContext2D,
    frame: Frame,
    at: Point,
    { colour, part, width }: { colour: string | undefined; part: number; width: number },
  ): void {
    const half = this.board.cell_px * part * frame.scale;
    const { x, y } = frame.toScreen(at);
    context.beginPath();
    context.rect(x - half, y - half, 2 * half, 2 * half);
    strokeCased(context, colour ?? "#868e96", { width: Math.max(width * frame.scale, 2.5) });
  }

  private drawLasso(context: CanvasRenderingContext2D, frame: Frame): void {
    const lasso = this.options.lasso();
    if (lasso.length < 2) return;
    context.beginPath();
    for (const point of lasso) context.lineTo(frame.screenX(point.x, point.y), frame.screenY(point.x, point.y));
    context.closePath();
    context.fillStyle = "rgba(0,104,163,.12)";
    context.fill();
    strokeCased(context, "#0068a3", { width: 1.5, dash: [6, 4] });
  }
}
