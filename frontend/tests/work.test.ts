import { beforeEach, expect, it, vi } from "vitest";

import { Refusal } from "../src/api/errors";
import type { CellRecord, Queue as Answer, Round } from "../src/api/types";
import { Queue } from "../src/modes/queue";
import { answerTo } from "../src/outbox/reference";
import { Work } from "../src/state/work";

const FIGURE = 1;

interface Sent {
  body: Record<string, unknown>;
  key: string;
}

const sent: Sent[] = [];
/** What becomes of the next actions: the server's answers, or why it refuses. */
const script: (object | Refusal)[] = [];
const waiting: CellRecord[] = [];

vi.mock("../src/state/session", () => ({
  labelName: String,
  me: { value: null },
  sayError: (error: unknown) => {
    throw error;
  },
  theOutbox: () => ({
    send: async (action: Sent) => {
      sent.push(action);
      const outcome = script.shift() ?? { cell: 41, seen: `after ${sent.length}` };
      if (outcome instanceof Refusal) throw outcome;
      return outcome;
    },
  }),
}));
vi.mock("../src/api/request", () => ({
  get: async (): Promise<Answer> => ({ cells: waiting, labelled: 0, of: waiting.length }),
}));
vi.mock("../src/ui/toast", () => ({ say: () => undefined }));

const closed = () => new Refusal(403, "round_closed", "This round is closed.", null, null);
const record = (cell: number): CellRecord => ({ cell, slide: 1, x: 5, y: 5, label: 0, score: null, seen: `first ${cell}` }) as unknown as CellRecord;
const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  sent.length = script.length = waiting.length = 0;
  vi.stubGlobal(
    "Image",
    class {
      src = "";
    },
  );
});

it("stands on what the server last said of a cell after an action on it was refused", async () => {
  const work = new Work(7);
  work.know(record(3));
  script.push(closed(), closed());
  work.label(3, FIGURE);
  work.label(3, FIGURE + 1); // stands on the first, before it is answered
  await settled();
  work.label(3, FIGURE);
  await settled();
  work.label(3, FIGURE + 1);
  expect(sent.map(({ body }) => body.expected)).toEqual(["first 3", answerTo(sent[0]!.key, "seen"), "first 3", "after 3"]);
});

it("puts a cell whose label was refused before the rater again, and counts it as open", async () => {
  waiting.push(record(1), record(2));
  const queue = new Queue({ id: 7 } as Round);
  await settled();
  const state = () => [queue.labelled.value, queue.of.value, queue.cells.value.map((one) => one.cell), queue.past.value.map((one) => one.cell)];
  script.push(closed());
  queue.label(queue.current.value!, FIGURE);
  expect(state()).toEqual([1, 2, [2], [1]]);
  await settled();
  expect(state()).toEqual([0, 2, [1, 2], []]);
  queue.label(queue.current.value!, FIGURE);
  await settled();
  expect(state()).toEqual([1, 2, [2], [1]]);
  await queue.back(); // another class for one that has one, refused: it keeps the first
  script.push(closed());
  queue.label(queue.current.value!, FIGURE + 1);
  await settled();
  expect(state()).toEqual([1, 2, [2], [1]]);
  script.push(closed());
  queue.add(1, { x: 9, y: 9 }, FIGURE);
  expect(state().slice(0, 2)).toEqual([2, 3]);
  await settled();
  expect(state().slice(0, 2)).toEqual([1, 2]);
});
