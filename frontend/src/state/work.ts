import { signal } from "@preact/signals";
import { Refusal } from "../api/errors";
import type { Acted, CellColumns, CellRecord } from "../api/types";
import { newKey } from "../outbox/key";
import { answerTo, type Reference } from "../outbox/reference";
import { NO_LABEL, CellTable, type Cell } from "../viewer/cell-table";
import type { Point } from "../viewer/frame";
import { say } from "../ui/toast";
import { sentence } from "../ui/words";
import { History, type Deed } from "./history";
import { labelName, me, theOutbox } from "./session";

/** What is shown as the class of a cell, and whether it is one's own. */
type Shown = Pick<Cell, "label" | "own" | "rater">;

/** A rater's work on cells in one round: shown at once, sent in order, taken back and done again. */
export class Work {
  readonly table = new CellTable();
  /** Changes with every action. */
  readonly count = signal(0);
  /** Called with the cell of something that was taken back or done again. */
  onReturn: (cell: number) => void = () => undefined;
  /** Called with the cell of something that was refused; it is shown as it was before. */
  onRefused: (cell: number) => void = () => undefined;
  /** Called when somebody else changed a cell meanwhile. */
  onConflict: () => void = () => undefined;
  /** Called when the server has acknowledged an action. */
  onSaved: () => void = () => undefined;
  private readonly seen = new Map<number, string | Reference>();
  /** What the server last said of each cell: what was refused is no ground for what comes next. */
  private readonly said = new Map<number, string>();
  private readonly creation = new Map<number, string>();
  private readonly localOf = new Map<number, number>();

  constructor(
    readonly round: number,
    /** Shared with what else is done on the page. */
    readonly history = new History(),
  ) {
    history.onTurn = ({ of }) => {
      this.count.value += 1;
      if (typeof of === "number") this.onReturn(of);
    };
  }

  get canUndo() {
    return this.history.canUndo;
  }

  get canRedo() {
    return this.history.canRedo;
  }

  /** Take over the cells of a slide as the server tells them. */
  load(columns: CellColumns): void {
    this.table.replaceAll(this.read(columns));
  }

  /** Take over what has changed since, also by others. */
  merge(columns: CellColumns): void {
    for (const cell of this.read(columns)) if (!this.isPending(cell.id)) this.table.put(cell);
    for (const gone of columns.deleted ?? []) this.table.remove(this.localOf.get(gone) ?? gone);
  }

  private *read(columns: CellColumns): Generator<Cell> {
    for (let at = 0; at < columns.cell.length; at += 1) {
      const id = this.localOf.get(columns.cell[at]!) ?? columns.cell[at]!;
      this.learn(id, columns.seen[at]!);
      yield {
        id,
        x: columns.x[at]!,
        y: columns.y[at]!,
        label: columns.label[at]!,
        score: columns.score[at] ?? null,
        own: columns.mine?.[at] ?? (columns.label[at]! > 0 && columns.rater[at] === me.value?.rater.id),
        rater: columns.raters[String(columns.rater[at])] ?? null,
      };
    }
  }

  /** Take over one cell, e.g. of the queue. */
  know(record: CellRecord): void {
    this.learn(record.cell, record.seen);
  }

  knowAll(cells: readonly number[], seen: readonly string[]): void {
    cells.forEach((cell, at) => this.learn(cell, seen[at]!));
  }

  private learn(cell: number, seen: string): void {
    this.said.set(cell, seen);
    if (!this.isPending(cell)) this.seen.set(cell, seen);
  }

  private readonly pending = new Map<number, number>();

  private isPending(cell: number): boolean {
    return (this.pending.get(cell) ?? 0) > 0;
  }

  create(slide: number, at: Point, label: number): number {
    const cell = -(this.creation.size + 1);
    const key = newKey();
    this.creation.set(cell, key);
    this.table.put({ id: cell, x: at.x, y: at.y, label, score: null, own: label !== NO_LABEL, rater: null });
    const body = { kind: "create", slide, x: at.x, y: at.y, ...(label === NO_LABEL ? {} : { label }) };
    void this.send(cell, key, body, `New cell: ${labelName(label)}`, () => this.table.remove(cell));
    this.did({
      title: `New cell: ${labelName(label)}`,
      of: cell,
      undo: () => this.doRemove(cell),
      redo: () => this.doRestore(cell),
    });
    return cell;
  }

  /** Give a cell a class of one's own. */
  label(cell: number, label: number, seconds?: number): void {
    const row = this.table.get(cell);
    const before: Shown = { label: row?.label ?? NO_LABEL, own: row?.own ?? false, rater: row?.rater ?? null };
    const after: Shown = { label, own: label !== NO_LABEL, rater: null };
    this.doLabel(cell, after, before, seconds);
    this.did({
      title: before.label === NO_LABEL ? `Label: ${labelName(label)}` : `Label: ${labelName(before.label)} → ${labelName(label)}`,
      of: cell,
      undo: () => this.doLabel(cell, before, after),
      redo: () => this.doLabel(cell, after, before),
    });
  }

  move(cell: number, to: Point, from: Point): void {
    this.doMove(cell, to, from);
    this.did({
      title: "Cell moved",
      of: cell,
      undo: () => this.doMove(cell, from, to),
      redo: () => this.doMove(cell, to, from),
    });
  }

  remove(cell: number): void {
    this.doRemove(cell);
    this.did({
      title: "Cell deleted",
      of: cell,
      undo: () => this.doRestore(cell),
      redo: () => this.doRemove(cell),
    });
  }

  undo(): void {
    this.history.undo();
  }

  redo(): void {
    this.history.redo();
  }

  private did(deed: Deed): void {
    this.history.did(deed);
    this.count.value += 1;
  }

  private doLabel(cell: number, shown: Shown, before: Shown, seconds?: number): void {
    this.table.update(cell, shown);
    const label = shown.own ? shown.label : NO_LABEL; // what others said is shown, not said again
    const time = seconds === undefined ? {} : { seconds: Number(seconds.toFixed(2)) };
    const body = this.about(cell, { kind: "label", label: label === NO_LABEL ? null : label, ...time });
    const title = label === NO_LABEL ? "Label taken back" : `Label: ${labelName(label)}`;
    void this.send(cell, newKey(), body, title, () => this.table.update(cell, before));
  }

  private doMove(cell: number, to: Point, from: Point): void {
    this.table.update(cell, to);
    const body = this.about(cell, { kind: "move", x: to.x, y: to.y });
    void this.send(cell, newKey(), body, "Cell moved", () => this.table.update(cell, from));
  }

  private readonly removed = new Map<number, Cell>();

  private doRemove(cell: number): void {
    const row = this.table.get(cell);
    if (row) this.removed.set(cell, row);
    this.table.remove(cell);
    void this.send(cell, newKey(), this.about(cell, { kind: "delete" }), "Cell deleted", () => row && this.table.put(row));
  }

  private doRestore(cell: number): void {
    const row = this.removed.get(cell);
    if (row) this.table.put(row);
    const body = this.about(cell, { kind: "restore" });
    void this.send(cell, newKey(), body, "Cell restored", () => this.table.remove(cell));
  }

  /** The id in the table of a cell that the server names. */
  localId(cell: number): number {
    return this.localOf.get(cell) ?? cell;
  }

  /** The id by which the server knows a cell; null before it has acknowledged it. */
  serverId(cell: number): number | null {
    if (cell >= 0) return cell;
    for (const [server, local] of this.localOf) if (local === cell) return server;
    return null;
  }

  /** How to name a cell to the server, also before it has acknowledged it. */
  reference(cell: number): number | Reference {
    const creation = this.creation.get(cell);
    return creation ? answerTo(creation, "cell") : cell;
  }

  private about(cell: number, body: object): Record<string, unknown> {
    const expected = this.seen.get(cell);
    return {
      ...body,
      cell: this.reference(cell),
      ...(expected === undefined ? {} : { expected }),
    };
  }

  private async send(cell: number, key: string, body: Record<string, unknown>, title: string, takeBack: () => void): Promise<void> {
    this.seen.set(cell, answerTo(key, "seen"));
    this.pending.set(cell, (this.pending.get(cell) ?? 0) + 1);
    try {
      const path = `/api/rounds/${this.round}/actions`;
      const answer = await theOutbox().send<Acted>({ path, body, title, key });
      if (cell < 0) this.localOf.set(answer.cell, cell);
      this.said.set(cell, answer.seen);
      this.onSaved();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      takeBack();
      this.refused(cell, title, error);
    } finally {
      this.pending.set(cell, (this.pending.get(cell) ?? 1) - 1);
      if (!this.isPending(cell)) this.standOnWhatWasSaid(cell);
    }
  }

  private standOnWhatWasSaid(cell: number): void {
    const said = this.said.get(cell);
    if (said === undefined) this.seen.delete(cell);
    else this.seen.set(cell, said);
  }

  private refused(cell: number, title: string, refusal: Refusal): void {
    const now = (refusal.details as { cell?: CellRecord } | null)?.cell;
    if (now && typeof now === "object") {
      this.said.set(cell, now.seen);
      if (now.is_deleted) this.table.remove(cell);
      else this.table.update(cell, { x: now.x, y: now.y, label: now.label ?? NO_LABEL });
    }
    this.history.forget(cell);
    this.count.value += 1;
    this.onRefused(cell);
    const what = refusal.isConflict ? "Somebody else (or another tab of yours) changed this cell meanwhile; you see it as it is now." : refusal.message;
    if (refusal.isConflict) this.onConflict();
    if (refusal.code !== "broken" && refusal.code !== "discarded") {
      say(`Not done: ${title}. ${sentence(what)}`, { kind: "warning", mend: refusal.isConflict ? "Look at it and repeat what you meant." : refusal.mend });
    }
  }
}
