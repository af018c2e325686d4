import { signal } from "@preact/signals";
import { get } from "../api/request";
import type { Comment, CommentKept, Comments as Answer } from "../api/types";
import { me, sayError, theOutbox } from "./session";
import type { Work } from "./work";

/** A remark as it is shown; one's own may still be on its way. */
export type Remark = Pick<Comment, "rater" | "rater_name" | "text">;

/** The comments on the cells of a slide in a round, by the cell's id in the table. */
export class Comments {
  readonly by = signal<ReadonlyMap<number, readonly Remark[]>>(new Map());
  private readonly path: string;

  constructor(
    private readonly work: Work,
    round: number,
    slide: number,
  ) {
    this.path = `/api/rounds/${round}`;
    this.from = `${this.path}/slides/${slide}/comments`;
  }

  private readonly from: string;
  /** One's own remarks of this visit. */
  private readonly said = new Map<number, string>();

  /** Read what the server has. */
  async load(): Promise<void> {
    try {
      const { comments } = await get<Answer>(this.from);
      const found = new Map<number, Remark[]>();
      for (const one of comments) {
        const cell = this.work.localId(one.cell);
        found.set(cell, [...(found.get(cell) ?? []), one]);
      }
      this.by.value = found;
      // What one says meanwhile may reach the server after this was read.
      for (const [cell, text] of this.said) this.show(cell, text);
    } catch (error) {
      sayError(error);
    }
  }

  of(cell: number): readonly Remark[] {
    return this.by.value.get(cell) ?? [];
  }

  /** One's own remark on a cell. */
  mine(cell: number): string {
    return (
      this.of(cell)
        .filter((one) => one.rater === me.value?.rater.id)
        .at(-1)?.text ?? ""
    );
  }

  /** Remark something on a cell in place of what one remarked before. */
  say(cell: number, text: string): Promise<void> {
    const before = this.mine(cell);
    if (text === before) return Promise.resolve();
    const title = text === "" ? "Comment taken back" : "Comment";
    this.work.history.did({ title, of: cell, undo: () => void this.send(cell, before), redo: () => void this.send(cell, text) });
    return this.send(cell, text);
  }

  private async send(cell: number, text: string): Promise<void> {
    this.said.set(cell, text);
    this.show(cell, text);
    try {
      const body = { cell: this.work.reference(cell), text };
      await theOutbox().send<CommentKept>({ path: `${this.path}/comments`, body, title: text ? "Comment" : "Comment taken back" });
    } catch (error) {
      sayError(error);
      this.said.delete(cell);
      this.work.history.forget(cell);
      await this.load();
    }
  }

  private show(cell: number, text: string): void {
    const rater = me.value?.rater;
    if (!rater) return;
    const others = this.of(cell).filter((one) => one.rater !== rater.id);
    const all = text === "" ? others : [...others, { rater: rater.id, rater_name: rater.name, text }];
    const by = new Map(this.by.value);
    if (all.length > 0) by.set(cell, all);
    else by.delete(cell);
    this.by.value = by;
  }
}
