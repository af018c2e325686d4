import type { BoardColumns, ClassLabel } from "../api/types";
import type { CellTable } from "../viewer/cell-table";
import { faint, INK, LASSO, NO_CLASS } from "../viewer/colours";
import type { Frame, Point } from "../viewer/frame";
import { strokeCased, type Layer } from "../viewer/layer";
import type { SlideView } from "../viewer/slide-view";
import type { Pointer, Tool } from "../viewer/tool";
import { contains } from "./polygon";

/** CSS pixels by which tiles stand out over their places: their positions are rounded. */
const BLEED = 1;
const CORNERS = [
  [-1, -1],
  [1, -1],
  [-1, 1],
  [1, 1],
] as const;

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

/** Frames of the selected and of the changed crops; all others are in the picture itself, whose white between them is covered. */
export class BoardLayer implements Layer {
  private readonly colours: Map<number, string>;
  private readonly between: HTMLCanvasElement;

  constructor(
    private readonly board: BoardColumns,
    private readonly table: CellTable,
    labels: readonly ClassLabel[],
    private readonly options: LayerOptions,
  ) {
    this.colours = new Map(labels.map((label) => [label.id, label.colour]));
    this.between = placesBetween(board);
  }

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    this.cover(context, frame);
    for (const cell of this.table.in(frame.visible())) {
      if (cell.label !== this.options.before.get(cell.id)) this.frameOf(context, frame, cell, { colour: this.colours.get(cell.label), part: 0.465, width: 4 });
      if (this.options.selected().has(cell.id)) this.frameOf(context, frame, cell, { colour: INK, part: 0.49, width: 1 });
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
    strokeCased(context, colour ?? NO_CLASS, { width: Math.max(width * frame.scale, 2.5) });
  }

  /** The picture is white where no crop stands; what lies there is the ground of the view, in every theme. */
  private cover(context: CanvasRenderingContext2D, frame: Frame): void {
    const { between, board } = this;
    const brush = between.getContext("2d");
    if (!brush) return;
    brush.globalCompositeOperation = "source-in";
    brush.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--glass");
    brush.fillRect(0, 0, between.width, between.height);
    context.save();
    frame.apply(context, context.getTransform().a);
    context.imageSmoothingEnabled = false;
    const [side, bleed] = [board.cell_px, BLEED / frame.scale];
    for (const [x, y] of CORNERS) {
      context.drawImage(between, x * bleed - side, y * bleed - side, between.width * side, between.height * side);
    }
    context.restore();
  }

  private drawLasso(context: CanvasRenderingContext2D, frame: Frame): void {
    const lasso = this.options.lasso();
    if (lasso.length < 2) return;
    context.beginPath();
    for (const point of lasso) context.lineTo(frame.screenX(point.x, point.y), frame.screenY(point.x, point.y));
    context.closePath();
    context.fillStyle = faint(LASSO, 0.12);
    context.fill();
    strokeCased(context, LASSO, { width: 1.5, dash: [6, 4] });
  }
}

/** A picture of a pixel a place, and one place more on every side: opaque where no crop stands. */
function placesBetween(board: BoardColumns): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(board.width / board.cell_px) + 2;
  canvas.height = Math.round(board.height / board.cell_px) + 2;
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.fillRect(0, 0, canvas.width, canvas.height);
  board.cell.forEach((_, at) => context.clearRect(board.column[at]! + 1, board.row[at]! + 1, 1, 1));
  return canvas;
}
