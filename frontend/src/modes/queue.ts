import { computed, signal } from "@preact/signals";
import { get } from "../api/request";
import type { CellRecord, LastCells, Queue as Answer, Round } from "../api/types";
import { sayError } from "../state/session";
import { Work } from "../state/work";
import { NO_LABEL } from "../viewer/cell-table";
import type { Point } from "../viewer/frame";
import { cropUrl } from "../viewer/picture";

const AT_ONCE = 48;
const REFILL_BELOW = 30;
export const CROP_PX0 = 128;

/** The cells that a rater has yet to label in a round, in the rater's own order, and those just labelled. */
export class Queue {
  readonly work: Work;
  readonly cells = signal<readonly CellRecord[]>([]);
  /** Cells labelled on this visit, oldest first. */
  readonly past = signal<readonly CellRecord[]>([]);
  readonly labelled = signal(0);
  readonly of = signal(0);
  readonly isLoaded = signal(false);
  readonly current = computed(() => this.cells.value[0] ?? null);
  /** Cells added on this visit, and their slides. */
  private readonly added = new Map<number, number>();
  private isFetching = false;
  private isExhausted = false;
  private shownAt = performance.now();

  constructor(readonly round: Round) {
    this.work = new Work(round.id);
    this.work.onReturn = (cell) => this.comeBack(cell);
    void this.refill();
  }

  /** Give a cell a class; it leaves the queue, the next one comes. */
  label(cell: CellRecord, label: number): void {
    const before = this.work.table.get(cell.cell)?.label ?? NO_LABEL;
    const seconds = Math.min((performance.now() - this.shownAt) / 1000, 3600);
    this.work.label(cell.cell, label, seconds);
    this.cells.value = this.cells.value.filter((one) => one.cell !== cell.cell);
    this.past.value = [...this.past.value.filter((one) => one.cell !== cell.cell), cell];
    if (before === NO_LABEL) this.labelled.value += 1;
    this.shownAt = performance.now();
    if (this.cells.value.length < REFILL_BELOW) void this.refill();
  }

  /** Add a cell that those before have missed; it has its class, and does not come up again. */
  add(slide: number, at: Point, label: number): void {
    this.added.set(this.work.create(slide, at, label), slide);
    this.labelled.value += 1;
    this.of.value += 1;
  }

  /** Whether a cell was added on a slide on this visit. */
  isAdded(cell: number, slide: number): boolean {
    return this.added.get(cell) === slide;
  }

  labelOf(cell: CellRecord): number {
    return this.work.table.get(cell.cell)?.label ?? NO_LABEL;
  }

  /** Pass a cell over for now; it comes last. */
  skip(): void {
    const [first, ...rest] = this.cells.value;
    if (first) this.cells.value = [...rest, first];
    this.shownAt = performance.now();
  }

  /** Look again at the cell labelled last; it keeps its label until it gets another. */
  async back(): Promise<void> {
    if (this.past.value.length === 0) await this.fetchPast();
    const last = this.past.value.at(-1);
    if (!last) return;
    this.past.value = this.past.value.slice(0, -1);
    this.cells.value = [last, ...this.cells.value];
  }

  private comeBack(id: number): void {
    if (this.added.has(id)) {
      const step = this.work.table.get(id) ? 1 : -1;
      this.labelled.value += step;
      this.of.value += step;
      return;
    }
    const cell = [...this.past.value, ...this.cells.value].find((one) => one.cell === id);
    if (!cell) return;
    const isOpen = this.labelOf(cell) === NO_LABEL;
    if (isOpen) this.labelled.value -= 1;
    this.past.value = this.past.value.filter((one) => one.cell !== id);
    this.cells.value = [cell, ...this.cells.value.filter((one) => one.cell !== id)];
    if (!isOpen) {
      this.labelled.value += 1;
      this.cells.value = this.cells.value.slice(1);
      this.past.value = [...this.past.value, cell];
    }
  }

  private async fetchPast(): Promise<void> {
    const { cells } = await get<LastCells>(`/api/rounds/${this.round.id}/done?n=50`);
    this.take(cells);
    this.past.value = [...cells].reverse();
  }

  private take(cells: readonly CellRecord[]): void {
    for (const cell of cells) {
      this.work.know(cell);
      const { x, y, score } = cell;
      this.work.table.put({ id: cell.cell, x, y, label: cell.label, score, own: cell.label !== NO_LABEL, rater: null });
      new Image().src = cropUrl(cell.slide, x, y, CROP_PX0);
    }
  }

  private async refill(): Promise<void> {
    if (this.isFetching || this.isExhausted) return;
    this.isFetching = true;
    // Labels on their way are not yet known to the server.
    const held = [...this.cells.value, ...this.past.value.slice(-200)].map((one) => one.cell);
    try {
      const skip = held.length > 0 ? `&skip=${held.slice(0, 500).join(",")}` : "";
      const answer = await get<Answer>(`/api/rounds/${this.round.id}/queue?n=${AT_ONCE}${skip}`);
      const known = new Set(held);
      const fresh = answer.cells.filter((one) => !known.has(one.cell));
      this.isExhausted = answer.cells.length < AT_ONCE;
      this.take(fresh);
      this.cells.value = [...this.cells.value, ...fresh];
      this.of.value = answer.of;
      if (!this.isLoaded.value) this.labelled.value = answer.labelled;
      this.isLoaded.value = true;
    } catch (error) {
      sayError(error);
    } finally {
      this.isFetching = false;
    }
  }
}
