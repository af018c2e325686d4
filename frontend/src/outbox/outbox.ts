import { signal } from "@preact/signals";
import { Away, Refusal } from "../api/errors";
import { ask } from "../api/request";
import { newKey } from "./key";
import { BrokenReference, resolve } from "./reference";
import type { Shelf, Waiting } from "./shelf";

/** How the way to the server is. */
export type Line =
  | { readonly kind: "open" }
  /** No answer; tried again. */
  | { readonly kind: "away"; readonly since: number }
  /** The server answers that it cannot write now (full disk, read-only); tried again. */
  | { readonly kind: "stuck"; readonly refusal: Refusal }
  /** The server does not know this browser (any more). */
  | { readonly kind: "unknown" };

export const line = signal<Line>({ kind: "open" });
/** Actions that are not yet acknowledged. */
export const unsent = signal<readonly Waiting[]>([]);

const PAUSES_MS = [400, 800, 1500, 3000, 5000];

interface Expecting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

export interface Request {
  method?: Waiting["method"];
  path: string;
  body: Record<string, unknown>;
  title: string;
  key?: string;
}

/** What the outbox asks of the shelf that outlives the tab. */
export type Keeper = Pick<Shelf, "add" | "waiting" | "remove" | "settle" | "outcome">;

/** Sends actions in order, one at a time, and again until each is acknowledged or refused. */
export class Outbox {
  private readonly expecting = new Map<string, Expecting>();
  private isAwake = false;
  private tries = 0;
  private timer = 0;

  constructor(
    private readonly shelf: Keeper,
    private readonly rater: string,
    /** An action of another tab or of an earlier visit was refused; a tab that still waits for it hears of it too. */
    private readonly onRefused: (action: Waiting, error: Refusal) => void,
  ) {
    window.addEventListener("online", () => this.wake());
    this.wake();
  }

  /** Keep an action and send it; resolves with the server's answer, raises `Refusal` where it is refused. */
  async send<T>({ method = "POST", path, body, title, key = newKey() }: Request): Promise<T> {
    const action: Waiting = { key, rater: this.rater, method, path, body, title, since: Date.now() };
    const answered = new Promise<T>((answer, reject) => {
      this.expecting.set(key, { resolve: answer, reject });
    });
    answered.catch(() => undefined);
    await this.shelf.add(action);
    unsent.value = [...unsent.value, action];
    this.wake();
    return await answered;
  }

  /** Send now what waits, e.g. because the person asks for it. */
  wake(): void {
    window.clearTimeout(this.timer);
    if (this.isAwake) return;
    this.isAwake = true;
    void this.inTurn(() => this.drain()).finally(() => {
      this.isAwake = false;
      if (unsent.value.length > 0) this.wakeLater();
    });
  }

  /** Give an unsent action up, by the person's own decision. */
  async discard(action: Waiting): Promise<void> {
    await this.shelf.remove(action);
    await this.refresh();
    this.expecting.get(action.key)?.reject(new Refusal(0, "discarded", "Discarded before it was sent.", null, null));
    this.expecting.delete(action.key);
  }

  private wakeLater(): void {
    const pause = PAUSES_MS[Math.min(this.tries, PAUSES_MS.length - 1)]!;
    this.timer = window.setTimeout(() => this.wake(), line.value.kind === "open" ? 0 : pause);
  }

  /** Of all tabs of a browser one sends at a time. Plain HTTP to another host has no locks; keys suffice there. */
  private async inTurn(act: () => Promise<void>): Promise<void> {
    if ("locks" in navigator) await navigator.locks.request("mitoscope-outbox", act);
    else await act();
  }

  private async refresh(): Promise<readonly Waiting[]> {
    unsent.value = await this.shelf.waiting(this.rater);
    return unsent.value;
  }

  private async drain(): Promise<void> {
    for (;;) {
      const waiting = await this.refresh();
      await this.answerFromShelf(waiting);
      const next = waiting[0];
      if (!next || !(await this.deliver(next))) return;
    }
  }

  /** Another tab may have sent what this one waits for. */
  private async answerFromShelf(waiting: readonly Waiting[]): Promise<void> {
    const open = new Set(waiting.map((action) => action.key));
    for (const [key, expecting] of this.expecting) {
      if (open.has(key)) continue;
      const outcome = await this.shelf.outcome(key);
      if (outcome === undefined) continue;
      this.expecting.delete(key);
      const { refusal } = outcome;
      if (refusal) expecting.reject(new Refusal(refusal.status, refusal.code, refusal.message, refusal.mend, refusal.details));
      else expecting.resolve(outcome.answer);
    }
  }

  /** Return whether the way is free for the next one. */
  private async deliver(action: Waiting): Promise<boolean> {
    try {
      const body = (await resolve(action.body, async (key) => (await this.shelf.outcome(key))?.answer)) as Record<string, unknown>;
      const answer = await ask<unknown>(action.method, action.path, { ...body, key: action.key });
      await this.shelf.settle(action, { answer: answer ?? null });
      this.opened();
      this.settle(action, (expecting) => expecting.resolve(answer));
      return true;
    } catch (error) {
      return await this.failed(action, error);
    }
  }

  private async failed(action: Waiting, error: unknown): Promise<boolean> {
    if (error instanceof BrokenReference) {
      const said = "The action that it builds on was refused.";
      return await this.failed(action, new Refusal(400, "broken", said, null, null));
    }
    if (error instanceof Refusal && error.isFinal) {
      const { status, code, message, mend, details } = error;
      await this.shelf.settle(action, { answer: undefined, refusal: { status, code, message, mend, details } });
      this.opened();
      const isExpected = this.settle(action, (expecting) => expecting.reject(error));
      if (!isExpected) this.onRefused(action, error);
      return true;
    }
    this.tries += 1;
    if (error instanceof Refusal) line.value = error.status === 401 ? { kind: "unknown" } : { kind: "stuck", refusal: error };
    else if (error instanceof Away) line.value = line.value.kind === "away" ? line.value : { kind: "away", since: Date.now() };
    else throw error;
    return false;
  }

  private opened(): void {
    this.tries = 0;
    if (line.value.kind !== "open") line.value = { kind: "open" };
  }

  private settle(action: Waiting, tell: (expecting: Expecting) => void): boolean {
    unsent.value = unsent.value.filter((other) => other.key !== action.key);
    const expecting = this.expecting.get(action.key);
    this.expecting.delete(action.key);
    if (expecting) tell(expecting);
    return expecting !== undefined;
  }
}
