import { computed, signal } from "@preact/signals";
import { Refusal } from "../../api/errors";
import { ask, get } from "../../api/request";
import type { Case, Counted, KeptWindow, KeptWindowSaid, Result, Signed, WindowShape, WorkKept } from "../../api/types";
import { sayError, theOutbox } from "../../state/session";
import type { Work } from "../../state/work";
import { say } from "../../ui/toast";
import { NO_LABEL, type Cell } from "../../viewer/cell-table";
import type { Box, Point } from "../../viewer/frame";

/** How long the slider and the window rest before it is counted anew. */
const PATIENCE_MS = 120;
/** What was looked at is kept together, not glance by glance. */
const KEEP_MS = 1500;

/** What is counted over, where it is not what the round states. */
export interface Over {
  readonly area_mm2?: number;
  readonly fields?: { readonly number: number; readonly diameter_mm: number };
  readonly aspect?: string;
  readonly shape?: WindowShape;
}

export type State = "accepted" | "rejected" | "atypical" | "unsure" | "added" | "seen" | "new";

/** A case at work: what is counted over and where, what was looked at; the server counts. */
export class CaseState {
  readonly found = signal<Case | null>(null);
  /** Null where nobody states one: then every candidate counts. */
  readonly threshold = signal<number | null>(null);
  readonly over = signal<Over>({});
  readonly box = signal<Box | null>(null);
  /** What the server counts in the window as it lies; null while it cannot be told. */
  readonly counted = signal<Counted | null>(null);
  readonly problem = signal<string | null>(null);
  readonly selected = signal<number | null>(null);
  readonly looked = signal<ReadonlySet<number>>(new Set());
  readonly unsure = signal<ReadonlySet<number>>(new Set());
  readonly seen = signal<ReadonlySet<number>>(new Set());
  readonly windows = signal<readonly KeptWindowSaid[]>([]);
  /** The name of the kept window that is shown, while it lies where it was kept. */
  readonly windowName = signal<string | null>(null);
  readonly shape = computed<WindowShape>(() => this.over.value.shape ?? this.counted.value?.shape ?? this.found.value?.window.shape ?? "rectangle");
  private readonly unsent = { looked: new Set<number>(), unsure: new Set<number>(), sure: new Set<number>(), seen: new Set<number>() };
  /** What was sent last is on disk; all before it then is too. */
  private kept: Promise<void> = Promise.resolve();
  private keepTimer = 0;
  private countTimer = 0;
  private asked = 0;

  constructor(
    private readonly path: string,
    readonly work: Work,
  ) {}

  async open(): Promise<void> {
    const answer = await get<Case>(`${this.path}/case`);
    this.found.value = answer;
    this.threshold.value = answer.threshold;
    this.looked.value = new Set(answer.work.looked);
    this.unsure.value = new Set(answer.work.unsure);
    this.seen.value = new Set(answer.work.seen);
    this.windows.value = answer.work.windows;
    this.over.value = {};
    this.windowName.value = null;
    this.take(answer.hot_spot, answer.problem);
  }

  close(): void {
    window.clearTimeout(this.countTimer);
    void this.keep();
  }

  isFigure(label: number): boolean {
    return this.found.value?.figure_labels.includes(label) ?? false;
  }

  /** Whether a cell is among those to be looked at: it counts by its score, or was judged. */
  isCandidate(cell: Cell): boolean {
    if (cell.own && cell.label !== NO_LABEL) return true;
    return cell.score !== null && cell.score > (this.threshold.value ?? -1);
  }

  holds(at: Point): boolean {
    const box = this.box.value;
    if (!box) return false;
    if (this.shape.value !== "circle") return at.x >= box.x && at.x < box.x + box.width && at.y >= box.y && at.y < box.y + box.height;
    const across = (2 * (at.x - box.x)) / box.width - 1;
    const down = (2 * (at.y - box.y)) / box.height - 1;
    return across * across + down * down <= 1;
  }

  inWindow(): Cell[] {
    const box = this.box.value;
    return box ? this.work.table.in(box).filter((cell) => this.holds(cell)) : [];
  }

  /** The cells of the window that count, or were judged: as the server counts them, once it has. */
  toLookAt(): Cell[] {
    const counted = this.counted.value && new Set(this.counted.value.cells);
    return this.inWindow().filter((cell) => this.isCandidate(cell) && (cell.own || cell.id < 0 || !counted || counted.has(cell.id)));
  }

  stateOf(cell: Cell): State {
    const { atypical_label: atypical } = this.found.value ?? {};
    if (cell.own && cell.label !== NO_LABEL) {
      if (cell.label === atypical) return "atypical";
      if (!this.isFigure(cell.label)) return "rejected";
      return cell.score === null ? "added" : "accepted";
    }
    if (this.unsure.value.has(cell.id)) return "unsure";
    return this.looked.value.has(cell.id) ? "seen" : "new";
  }

  /** Count anew where the window lies, or in the hot spot; of several questions the last one counts. */
  async recount(where: "here" | "hot spot"): Promise<boolean> {
    window.clearTimeout(this.countTimer);
    const number = (this.asked += 1);
    const box = this.box.value;
    const corner = where === "here" && box ? { corner: [box.x, box.y] } : {};
    try {
      const answer = await ask<Counted>("POST", `${this.path}/case/count`, { ...this.stated(), ...corner });
      if (number !== this.asked) return false;
      this.take(answer, null);
      return true;
    } catch (error) {
      if (number !== this.asked) return false;
      if (error instanceof Refusal) this.take(null, error.message);
      else sayError(error);
      return false;
    }
  }

  recountSoon(): void {
    window.clearTimeout(this.countTimer);
    this.countTimer = window.setTimeout(() => void this.recount("here"), PATIENCE_MS);
  }

  setThreshold(to: number | null): void {
    this.threshold.value = to;
    this.recountSoon();
  }

  /** Another size or shape is placed on its hot spot; it can be dragged from there. */
  async countOver(over: Over): Promise<void> {
    this.over.value = over;
    this.windowName.value = null;
    await this.recount("hot spot");
  }

  moveTo(at: Point): void {
    const box = this.box.value;
    if (!box) return;
    this.box.value = { ...box, ...at };
    this.windowName.value = null;
    this.recountSoon();
  }

  look(cell: Cell): void {
    if (cell.id < 0 || this.looked.value.has(cell.id)) return;
    this.looked.value = new Set([...this.looked.value, cell.id]);
    this.unsent.looked.add(cell.id);
    this.keepSoon();
  }

  setUnsure(cell: number, isUnsure: boolean): void {
    const now = new Set(this.unsure.value);
    if (isUnsure) now.add(cell);
    else now.delete(cell);
    this.unsure.value = now;
    this.unsent[isUnsure ? "unsure" : "sure"].add(cell);
    this.unsent[isUnsure ? "sure" : "unsure"].delete(cell);
    this.keepSoon();
  }

  saw(squares: readonly number[]): void {
    const fresh = squares.filter((one) => !this.seen.value.has(one));
    if (fresh.length === 0) return;
    this.seen.value = new Set([...this.seen.value, ...fresh]);
    for (const one of fresh) this.unsent.seen.add(one);
    this.keepSoon();
  }

  private keepSoon(): void {
    this.keepTimer ||= window.setTimeout(() => void this.keep(), KEEP_MS);
  }

  /** Send what was looked at since the last time. */
  keep(windows?: readonly KeptWindow[]): Promise<void> {
    window.clearTimeout(this.keepTimer);
    this.keepTimer = 0;
    const body = Object.fromEntries(Object.entries(this.unsent).map(([name, ids]) => [name, [...ids]]));
    for (const ids of Object.values(this.unsent)) ids.clear();
    if (!windows && Object.values(body).every((ids) => ids.length === 0)) return this.kept;
    this.kept = this.send({ ...body, ...(windows ? { windows } : {}) });
    return this.kept;
  }

  private async send(body: Record<string, unknown>): Promise<void> {
    try {
      await theOutbox().send<WorkKept>({ path: `${this.path}/case/work`, body, title: "What was looked at" });
      this.recountSoon();
    } catch (error) {
      sayError(error);
    }
  }

  /** Keep the window as it lies under a name; one of that name is replaced. */
  async keepWindow(name: string): Promise<void> {
    const box = this.box.value;
    if (!box) return;
    const { width, height } = box;
    const kept = {
      name,
      width,
      height,
      x: box.x,
      y: box.y,
      threshold: this.threshold.value,
      area_mm2: null,
      fields: null,
      aspect: null,
      shape: null,
      ...this.over.value,
    };
    await this.replaceWindows([...this.windows.value.filter((one) => one.name !== name), kept]);
    this.windowName.value = name;
  }

  async dropWindow(name: string): Promise<void> {
    await this.replaceWindows(this.windows.value.filter((one) => one.name !== name));
    if (this.windowName.value === name) this.windowName.value = null;
  }

  private async replaceWindows(windows: readonly KeptWindowSaid[]): Promise<void> {
    this.windows.value = windows;
    await this.keep(windows.map(({ width: _width, height: _height, ...kept }) => kept));
  }

  /** Return to a window that was kept. */
  async goToWindow(kept: KeptWindowSaid): Promise<void> {
    const { name, x, y, width, height, threshold, ...over } = kept;
    this.over.value = Object.fromEntries(Object.entries(over).filter(([, value]) => value !== null)) as Over;
    this.threshold.value = threshold;
    this.box.value = { x, y, width, height };
    await this.recount("here");
    this.windowName.value = name;
  }

  /** Have what was looked at on disk and the window counted, so that what is signed is what is there. */
  async settle(): Promise<Counted | null> {
    await this.keep();
    await this.recount("here");
    return this.counted.value;
  }

  async sign(stated: { comment: string; not_looked_at: number; is_not_searched: boolean; replaces: number | null }): Promise<boolean> {
    const { counted, found, windowName } = this;
    if (!counted.value) return false;
    const { count, x, y } = counted.value;
    const body = { ...this.stated(), x, y, count, ...stated, ...(windowName.value ? { window_name: windowName.value } : {}) };
    try {
      const { result } = await theOutbox().send<Signed>({ path: `${this.path}/case/sign`, body, title: "Signature" });
      if (found.value) found.value = { ...found.value, results: [result, ...found.value.results.map((one) => replaced(one, result))] };
      return true;
    } catch (error) {
      if (error instanceof Refusal && error.isConflict) {
        void this.recount("here");
        const what = error.code === "unstated" ? "Not signed: what was looked at has changed meanwhile." : "Not signed: the labels have changed meanwhile.";
        say(what, { kind: "warning", mend: `${error.message}. ${error.mend ?? ""}` });
      } else sayError(error);
      return false;
    }
  }

  private stated(): Record<string, unknown> {
    const { threshold, over } = this;
    return { ...(threshold.value === null ? {} : { threshold: threshold.value }), ...over.value };
  }

  private take(answer: Counted | null, reason: string | null): void {
    this.counted.value = answer;
    this.problem.value = reason;
    if (answer) this.box.value = { x: answer.x, y: answer.y, width: answer.width, height: answer.height };
  }
}

function replaced(one: Result, by: Result): Result {
  return one.id === by.replaces ? { ...one, replaced_by: by.id } : one;
}
