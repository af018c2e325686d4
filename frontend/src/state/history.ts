import { signal } from "@preact/signals";
import { say } from "../ui/toast";

/** Something that was done, and can be taken back and done again. */
export interface Deed {
  /** As in "Undone: Cell moved". */
  readonly title: string;
  /** What it was done to: where the server refuses, all that was done to it is forgotten. */
  readonly of: string | number;
  /** False where the server did not answer: it was not taken back, and can be later. */
  undo(): void | Promise<boolean>;
  redo(): void | Promise<boolean>;
}

/** What was done on a page, in order; the last is taken back first. */
export class History {
  readonly canUndo = signal(false);
  readonly canRedo = signal(false);
  /** Called with what was taken back or done again. */
  onTurn: (deed: Deed) => void = () => undefined;
  private done: Deed[] = [];
  private undone: Deed[] = [];
  private isTurning = false;

  did(deed: Deed): void {
    this.done.push(deed);
    this.undone = [];
    this.tell();
  }

  undo(): void {
    void this.turn("undo", "Undone");
  }

  redo(): void {
    void this.turn("redo", "Done again");
  }

  /** Forget what was done to something, e.g. because it was refused. */
  forget(of: Deed["of"]): void {
    this.done = this.done.filter((deed) => deed.of !== of);
    this.undone = this.undone.filter((deed) => deed.of !== of);
    this.tell();
  }

  private async turn(how: "undo" | "redo", said: string): Promise<void> {
    if (this.isTurning) return;
    const deed = (how === "undo" ? this.done : this.undone).pop();
    if (!deed) return say(`There is nothing to ${how} here.`);
    (how === "undo" ? this.undone : this.done).push(deed);
    const pending = deed[how]();
    this.tell();
    if (pending) {
      this.isTurning = true;
      const isDone = await pending;
      this.isTurning = false;
      if (!isDone) return this.turnBack(deed, how);
    }
    say(`${said}: ${deed.title}`);
    this.onTurn(deed);
  }

  /** What was refused was forgotten meanwhile; what the server did not answer stays as it was. */
  private turnBack(deed: Deed, how: "undo" | "redo"): void {
    const from = how === "undo" ? this.undone : this.done;
    const at = from.indexOf(deed);
    if (at < 0) return;
    from.splice(at, 1);
    (how === "undo" ? this.done : this.undone).push(deed);
    this.tell();
  }

  private tell(): void {
    this.canUndo.value = this.done.length > 0;
    this.canRedo.value = this.undone.length > 0;
  }
}
