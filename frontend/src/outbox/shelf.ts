import type { Refusal } from "../api/errors";

/** An action that waits for its acknowledgement; it outlives the tab. */
export interface Waiting {
  /** Order of the actions; given by the database. */
  place?: number;
  /** Chosen once for each action: however often it is sent, it is done once. */
  key: string;
  /** Whose action it is: never sent under another rater's name. */
  rater: string;
  method: "POST" | "PUT" | "DELETE";
  path: string;
  body: unknown;
  /** For the list of unsent actions. */
  title: string;
  since: number;
}

const NAME = "mitoscope";
const WAITING = "waiting";
const ANSWERS = "answers";
/** Answers are kept for actions that refer to them; forgotten only where none waits, whatever the clock says. */
const ANSWERS_KEPT_MS = 7 * 24 * 3600 * 1000;

/** What came of an action: the server's answer, or why it was refused. */
export interface Outcome {
  readonly answer: unknown;
  readonly refusal?: Pick<Refusal, "status" | "code" | "message" | "mend" | "details">;
}

interface Kept extends Outcome {
  key: string;
  at: number;
}

/** What must outlive the tab: unsent actions, and the answers that later ones refer to (IndexedDB). */
export class Shelf {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(): Promise<Shelf> {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const waiting = request.result.createObjectStore(WAITING, { keyPath: "place", autoIncrement: true });
      waiting.createIndex("rater", "rater");
      request.result.createObjectStore(ANSWERS, { keyPath: "key" }).createIndex("at", "at");
    };
    const shelf = new Shelf(await done(request));
    await shelf.forgetOldAnswers();
    return shelf;
  }

  async add(action: Waiting): Promise<void> {
    await done(this.store(WAITING, "readwrite").add(action));
  }

  async waiting(rater: string): Promise<Waiting[]> {
    const index = this.store(WAITING, "readonly").index("rater");
    const found = (await done(index.getAll(rater))) as Waiting[];
    return found.sort((one, other) => (one.place ?? 0) - (other.place ?? 0));
  }

  async remove(action: Waiting): Promise<void> {
    if (action.place !== undefined) await done(this.store(WAITING, "readwrite").delete(action.place));
  }

  /** Keep what came of an action and take it out, both or neither. */
  async settle(action: Waiting, outcome: Outcome): Promise<void> {
    const change = this.database.transaction([WAITING, ANSWERS], "readwrite");
    const kept: Kept = { key: action.key, at: Date.now(), ...outcome };
    change.objectStore(ANSWERS).put(kept);
    if (action.place !== undefined) change.objectStore(WAITING).delete(action.place);
    await new Promise<void>((resolve, reject) => {
      change.oncomplete = () => resolve();
      change.onabort = () => reject(change.error ?? new Error("the browser's storage gave up"));
    });
  }

  async outcome(key: string): Promise<Outcome | undefined> {
    return (await done(this.store(ANSWERS, "readonly").get(key))) as Kept | undefined;
  }

  private async forgetOldAnswers(): Promise<void> {
    if ((await done(this.store(WAITING, "readonly").count())) > 0) return;
    const index = this.store(ANSWERS, "readonly").index("at");
    const old = await done(index.getAllKeys(IDBKeyRange.upperBound(Date.now() - ANSWERS_KEPT_MS)));
    for (const key of old) await done(this.store(ANSWERS, "readwrite").delete(key));
  }

  private store(name: string, mode: IDBTransactionMode): IDBObjectStore {
    return this.database.transaction(name, mode).objectStore(name);
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's storage gave up"));
  });
}
