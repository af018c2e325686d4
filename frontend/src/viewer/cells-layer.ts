import { NO_LABEL, type Cell, type CellTable } from "./cell-table";
import { densityMap, type DensityMap } from "./density";
import type { Box, Frame } from "./frame";
import { drawGlyph, shapeOf } from "./glyphs";
import type { Layer } from "./layer";
import { MarksPicture } from "./marks-picture";

/** More cells than this in view are drawn as a density map. */
const MARKS_MAX = 5000;
/** Every published data set marks a cell with 25 px at 40× (CCMCT, CMC, MIDOG++). */
export const RADIUS_PX0 = 25;
const RADIUS_MIN = 3.2;
/** More than this are drawn as dots: their rings would hide the tissue, and each other. */
const RINGS_MAX = 1000;
const RADIUS_CROWDED = 4.5;
/** More than this are drawn once and moved as one picture. */
const SINGLE_MAX = 200;

export interface LabelLook {
  readonly id: number;
  readonly name: string;
  readonly colour: string;
}

/** The cells of a slide: marks where they can be told apart, their density where they cannot. */
export class CellsLayer implements Layer {
  selected: number | null = null;
  private filter: (cell: Cell) => boolean = () => true;
  /** Counts the filters, so that what was drawn under another one is known. */
  private filters = 0;
  private readonly picture = new MarksPicture();
  private readonly glyphs = new Map<string, HTMLCanvasElement>();
  private readonly orders: Map<number, number>;
  private readonly colours: Map<number, string>;
  private density: { version: number; map: DensityMap | null } | null = null;

  constructor(
    readonly table: CellTable,
    private readonly size: { width: number; height: number },
    labels: readonly LabelLook[],
    /** Colour of cells without a label; null draws them dashed. */
    private readonly unlabelled: string | null = null,
  ) {
    this.orders = new Map(labels.map((label, order) => [label.id, order]));
    this.colours = new Map(labels.map((label) => [label.id, label.colour]));
  }

  /** Show only the cells for which `filter` holds. */
  show(filter: (cell: Cell) => boolean): void {
    this.filter = filter;
    this.filters += 1;
    this.density = null;
  }

  /** Differs whenever the cells or what is shown of them do. */
  get state(): string {
    return `${this.table.version} ${this.filters}`;
  }

  isShown(cell: Cell): boolean {
    return this.filter(cell);
  }

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const box = touching(frame);
    if (this.table.atMost(box) > 3 * MARKS_MAX) return this.drawDensity(context, frame);
    const cells = this.table.in(box).filter(this.filter);
    if (cells.length > MARKS_MAX) return this.drawDensity(context, frame);
    const isCrowded = cells.length > RINGS_MAX;
    if (cells.length <= SINGLE_MAX) return this.drawMarks(context, frame, cells, isCrowded);
    const key = `${this.table.version} ${this.filters} ${this.selected} ${isCrowded}`;
    this.picture.draw(context, frame, key, (on, larger) => {
      this.drawMarks(on, larger, this.table.in(touching(larger)).filter(this.filter), isCrowded);
    });
  }

  private drawMarks(context: CanvasRenderingContext2D, frame: Frame, cells: readonly Cell[], isCrowded: boolean): void {
    const room = isCrowded ? RADIUS_CROWDED : Infinity;
    const radius = Math.min(Math.max(RADIUS_PX0 * frame.scale, RADIUS_MIN), room);
    const density = window.devicePixelRatio || 1;
    for (const cell of cells) {
      const glyph = this.glyph(cell, radius, density);
      const side = glyph.width / density;
      const x = frame.screenX(cell.x, cell.y) - side / 2;
      const y = frame.screenY(cell.x, cell.y) - side / 2;
      context.drawImage(glyph, x, y, side, side);
    }
  }

  private glyph(cell: Cell, radius: number, density: number): HTMLCanvasElement {
    const selected = cell.id === this.selected;
    const rounded = Math.min(Math.round(radius * 2) / 2, 80);
    const key = `${cell.label} ${rounded} ${selected} ${density}`;
    const known = this.glyphs.get(key);
    if (known) return known;
    if (this.glyphs.size > 400) this.glyphs.clear();
    const glyph = drawGlyph({
      shape: cell.label === NO_LABEL ? "circle" : shapeOf(this.orders.get(cell.label) ?? 0),
      colour: this.colours.get(cell.label) ?? this.unlabelled,
      radius: rounded,
      selected,
      darkCasing: cell.label === NO_LABEL,
      density,
    });
    this.glyphs.set(key, glyph);
    return glyph;
  }

  private drawDensity(context: CanvasRenderingContext2D, frame: Frame): void {
    const map = this.densityNow();
    if (!map) return;
    frame.apply(context, window.devicePixelRatio || 1);
    context.imageSmoothingEnabled = true;
    context.drawImage(map.picture, map.box.x, map.box.y, map.box.width, map.box.height);
  }

  private densityNow(): DensityMap | null {
    if (this.density?.version !== this.table.version) {
      const shown = [...this.table.all()].filter(this.filter);
      this.density = { version: this.table.version, map: densityMap(shown, this.size) };
    }
    return this.density.map;
  }
}

/** The box of the cells whose marks reach into the view, in level-0 pixels. */
function touching(frame: Frame): Box {
  const { x, y, width, height } = frame.visible();
  const margin = RADIUS_PX0 + 12 / frame.scale;
  return { x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin };
}
