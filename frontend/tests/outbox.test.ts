import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Refusal } from "../src/api/errors";
import { line, Outbox, unsent, type Keeper } from "../src/outbox/outbox";
import { answerTo } from "../src/outbox/reference";
import type { Outcome, Waiting } from "../src/outbox/shelf";

/** A shelf in memory; two tabs may share it. */
class Memory implements Keeper {
  private actions: Waiting[] = [];
  private place = 0;
  private readonly outcomes = new Map<string, Outcome>();

  async add(action: Waiting): Promise<void> {
    this.actions.push({ ...action, place: (this.place += 1) });
  }
  async waiting(rater: string): Promise<Waiting[]> {
    return this.actions.filter((one) => one.rater === rater);
  }
  async remove(action: Waiting): Promise<void> {
    this.actions = this.actions.filter((one) => one.place !== action.place);
  }
  async settle(action: Waiting, outcome: Outcome): Promise<void> {
    this.outcomes.set(action.key, outcome);
    await this.remove(action);
  }
  async outcome(key: string): Promise<Outcome | undefined> {
    return this.outcomes.get(key);
  }
}

interface Sent {
  path: string;
  body: Record<string, unknown>;
}

const sent: Sent[] = [];
/** What the server does with the next request; it answers well where nothing is said. */
const script: (() => Response)[] = [];
const away = () => {
  throw new TypeError("Failed to fetch");
};
const answer = (status: number, body: object) => () => new Response(JSON.stringify(body), { status });
const refusal = (status: number, code: string) => answer(status, { error: "no", mend: null, code });

async function server(path: string, init: RequestInit): Promise<Response> {
  sent.push({ path, body: JSON.parse(init.body as string) as Record<string, unknown> });
  return (script.shift() ?? answer(200, { cell: 41, seen: "a" }))();
}

/** As browsers have it: one holder at a time. */
class Locks {
  private last: Promise<unknown> = Promise.resolve();

  request(_: string, act: () => Promise<void>): Promise<void> {
    const mine = this.last.then(act);
    this.last = mine.catch(() => undefined);
    return mine;
  }
}

const refused: string[] = [];
const open = (shelf: Keeper, rater = "study/1") => new Outbox(shelf, rater, ({ title }) => void refused.push(title));
const act = (outbox: Outbox, title: string, body: Record<string, unknown> = {}, key?: string) =>
  outbox.send<{ cell: number }>({ path: "/api/act", title, body, ...(key ? { key } : {}) });
const codeOf = (error: unknown) => (error as Refusal).code;

beforeEach(() => {
  for (const list of [sent, script, refused]) list.length = 0;
  line.value = { kind: "open" };
  unsent.value = [];
  vi.useFakeTimers();
  vi.stubGlobal("fetch", server);
  Object.defineProperty(navigator, "locks", { value: new Locks(), configurable: true });
});
afterEach(() => vi.useRealTimers());

describe("the outbox", () => {
  it("sends in order, one at a time, and fills in what earlier answers told", async () => {
    const outbox = open(new Memory());
    const made = act(outbox, "create", { at: 1 }, "key-create");
    const labelled = act(outbox, "label", { cell: answerTo("key-create", "cell") });
    expect(await made).toEqual({ cell: 41, seen: "a" });
    await labelled;
    expect(sent.map((one) => one.body.cell)).toEqual([undefined, 41]);
    expect(unsent.value).toEqual([]);
  });

  it("keeps what a server that is away did not get, says so, and sends it once it answers, by the same key", async () => {
    script.push(away, away);
    const outbox = open(new Memory());
    const made = act(outbox, "create");
    await vi.advanceTimersByTimeAsync(10);
    expect([line.value.kind, unsent.value.length]).toEqual(["away", 1]);
    await vi.advanceTimersByTimeAsync(10_000);
    await made;
    expect([line.value.kind, unsent.value.length, sent.length]).toEqual(["open", 0, 3]);
    expect(new Set(sent.map((one) => one.body.key)).size).toBe(1);
  });

  it.each([
    [507, "moved", "stuck"],
    [507, "disk_full", "stuck"],
    [503, "busy", "stuck"],
    [401, "unknown", "unknown"],
  ])("holds an action at %d (%s)", async (status, code, kind) => {
    script.push(refusal(status, code));
    const outbox = open(new Memory());
    const made = act(outbox, "create");
    await vi.advanceTimersByTimeAsync(10);
    expect([line.value.kind, unsent.value.length]).toEqual([kind, 1]);
    outbox.wake();
    await made;
    expect(unsent.value).toEqual([]);
  });

  it("gives up what is refused, and what builds on it, and goes on", async () => {
    script.push(refusal(422, "invalid"));
    const outbox = open(new Memory());
    const made = act(outbox, "create", {}, "key-create").catch(codeOf);
    const labelled = act(outbox, "label", { cell: answerTo("key-create", "cell") }).catch(codeOf);
    const other = act(outbox, "other");
    expect([await made, await labelled]).toEqual(["invalid", "broken"]);
    expect(await other).toEqual({ cell: 41, seen: "a" });
    expect(sent.map((one) => one.path)).toHaveLength(2);
  });

  it("of two tabs sends each action once, and answers both", async () => {
    const shelf = new Memory();
    const [one, two] = [open(shelf), open(shelf)];
    const answers = [act(one, "a"), act(two, "b"), act(one, "c"), act(two, "d")];
    await vi.advanceTimersByTimeAsync(10_000);
    await Promise.all(answers);
    const keys = sent.map((each) => each.body.key);
    expect([keys.length, new Set(keys).size]).toEqual([4, 4]);
  });

  it("sends what an earlier visit left, in the order in which it was done, whatever the clock says", async () => {
    const shelf = new Memory();
    script.push(away, away, away, away);
    vi.setSystemTime(new Date("2030-01-01"));
    const before = open(shelf);
    void act(before, "first", { n: 1 });
    await vi.advanceTimersByTimeAsync(1);
    vi.setSystemTime(new Date("2020-01-01")); // set back
    void act(before, "second", { n: 2 });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(sent.filter((one) => one.body.n === 2).length).toBe(1);
    expect(sent.at(-1)?.body.n).toBe(2);
    expect(await shelf.waiting("study/1")).toEqual([]);
  });

  it("tells of a refusal that nobody waits for any more, and never sends under another's name", async () => {
    const shelf = new Memory();
    const left = { key: "key-left", rater: "study/1", method: "POST" as const, path: "/api/act", body: {}, title: "left", since: 0 };
    await shelf.add(left);
    await shelf.add({ ...left, key: "key-other", rater: "study/2" });
    script.push(refusal(409, "conflict"));
    open(shelf);
    await vi.advanceTimersByTimeAsync(10);
    expect([refused, sent.length]).toEqual([["left"], 1]);
    expect(await shelf.waiting("study/2")).toHaveLength(1);
  });

  it("sends nothing that was given up", async () => {
    script.push(away);
    const outbox = open(new Memory());
    const made = act(outbox, "create").catch(codeOf);
    await vi.advanceTimersByTimeAsync(10);
    await outbox.discard(unsent.value[0]!);
    expect(await made).toBe("discarded");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toHaveLength(1);
  });
});
