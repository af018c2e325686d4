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
  /** Whether a cell counts as labelled. */
  private readonly counted = new Map<number, boolean>();
  private isFetching = false;
  private isExhausted = false;
  private shownAt = performance.now();

  constructor(readonly round: Round) {
    this.work = new Work(round.id);
    this.work.onReturn = this.work.onRefused = (cell) => this.comeBack(cell);
    void this.refill();
  }

  /** Give a cell a class; it leaves the queue, the next one comes. */
  label(cell: CellRecord, label: number): void {
    const seconds = Math.min((performance.now() - this.shownAt) / 1000, 3600);
    this.work.label(cell.cell, label, seconds);
    this.cells.value = this.cells.value.filter((one) => one.cell !== cell.cell);
    this.past.value = [...this.past.value.filter((one) => one.cell !== cell.cell), cell];
    this.recount(cell.cell);
    this.shownAt = performance.now();
    if (this.cells.value.length < REFILL_BELOW) void this.refill();
  }

  /** Add a cell that those before have missed; it has its class, and does not come up again. */
  add(slide: number, at: Point, label: number): void {
    const cell = this.work.create(slide, at, label);
    this.added.set(cell, slide);
    this.recount(cell);
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

  /** What was taken back, done again or refused: a cell without a class comes first, one with it is done. */
  private comeBack(id: number): void {
    this.recount(id);
    const cell = [...this.past.value, ...this.cells.value].find((one) => one.cell === id);
    if (!cell) return;
    const [past, cells] = [this.past.value, this.cells.value].map((list) => list.filter((one) => one.cell !== id));
    const isOpen = this.labelOf(cell) === NO_LABEL;
    this.past.value = isOpen ? past! : [...past!, cell];
    this.cells.value = isOpen ? [cell, ...cells!] : cells!;
  }

  /** Count a cell as labelled, or no longer: by what is shown of it now. */
  private recount(id: number): void {
    const row = this.work.table.get(id);
    const isAdded = this.added.has(id);
    const counts = isAdded ? row !== undefined : (row?.label ?? NO_LABEL) !== NO_LABEL;
    const step = Number(counts) - Number(this.counted.get(id) ?? false);
    this.counted.set(id, counts);
    this.labelled.value += step;
    if (isAdded) this.of.value += step;
  }

  private async fetchPast(): Promise<void> {
    const { cells } = await get<LastCells>(`/api/rounds/${this.round.id}/done?n=50`);
    this.take(cells);
    this.past.value = [...cells].reverse();
  }

  private take(cells: readonly CellRecord[]): void {
    for (const cell of cells) {
      this.work.know(cell);
      this.counted.set(cell.cell, cell.label !== NO_LABEL);
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
