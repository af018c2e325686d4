import type { Box } from "./frame";
import { GridIndex } from "./grid-index";

/** A class that no rater has given. */
export const NO_LABEL = 0;

/** One cell as it is drawn; a place without a label has `label` 0. */
export interface Cell {
  /** As the server knows it; negative while the server has not yet acknowledged its creation. */
  id: number;
  x: number;
  y: number;
  /** Id of the label, 0 for none. */
  label: number;
  score: number | null;
  /** Whether the label is one's own, given in this round. */
  own: boolean;
  /** Name of the rater whose label is shown, where the study shows it. */
  rater: string | null;
}

/** The cells of a slide, found by id and by place. */
export class CellTable {
  private readonly byId = new Map<number, Cell>();
  private index: GridIndex<Cell> | null = null;
  private readonly watchers = new Set<() => void>();
  /** Changes whenever anything does. */
  version = 0;

  get size(): number {
    return this.byId.size;
  }

  all(): IterableIterator<Cell> {
    return this.byId.values();
  }

  get(id: number): Cell | undefined {
    return this.byId.get(id);
  }

  replaceAll(cells: Iterable<Cell>): void {
    this.byId.clear();
    for (const cell of cells) this.byId.set(cell.id, cell);
    this.changed();
  }

  put(cell: Cell): void {
    this.byId.set(cell.id, cell);
    this.changed();
  }

  update(id: number, change: Partial<Omit<Cell, "id">>): void {
    const cell = this.byId.get(id);
    if (!cell) return;
    Object.assign(cell, change);
    this.changed(change.x !== undefined || change.y !== undefined);
  }

  remove(id: number): void {
    if (this.byId.delete(id)) this.changed();
  }

  /** Give a cell the id under which the server has it. */
  rename(id: number, serverId: number): void {
    const cell = this.byId.get(id);
    if (!cell) return;
    this.byId.delete(id);
    cell.id = serverId;
    this.byId.set(serverId, cell);
    this.changed(false);
  }

  private places(): GridIndex<Cell> {
    this.index ??= new GridIndex([...this.byId.values()]);
    return this.index;
  }

  in(box: Box): Cell[] {
    return this.places().in(box);
  }

  /** How many cells a box holds, at most. */
  atMost(box: Box): number {
    return this.places().atMost(box);
  }

  /** The cell nearest to a place, within a distance in level-0 pixels. */
  nearest(x: number, y: number, within: number, where: (cell: Cell) => boolean = () => true): Cell | null {
    let best: Cell | null = null;
    let least = within * within;
    for (const cell of this.in({ x: x - within, y: y - within, width: 2 * within, height: 2 * within })) {
      const square = (cell.x - x) ** 2 + (cell.y - y) ** 2;
      if (square <= least && where(cell)) [best, least] = [cell, square];
    }
    return best;
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  private changed(moved = true): void {
    if (moved) this.index = null;
    this.version += 1;
    for (const watcher of this.watchers) watcher();
  }
}
