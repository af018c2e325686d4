import { Away, Refusal } from "../api/errors";

/** What is there of an upload, as the server says it. */
export interface Received {
  readonly upload: string;
  readonly received: number;
  readonly piece_bytes: number;
}

/** How a file reaches the server; the tests have another way. */
export interface Ways {
  begin(file: File): Promise<Received>;
  put(upload: string, offset: number, piece: Blob, signal: AbortSignal): Promise<Received>;
  finish(upload: string): Promise<void>;
  wait(ms: number): Promise<void>;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
/** A piece that comes damaged so often in turn is not the network's fault. */
const DAMAGED_MAX = 5;

/**
 * Send a file in pieces. It goes on where the server says that it is: after a lost connection, a server that was
 * started again, or a page that was closed. Raises `Refusal` where going on does not help.
 */
export async function sendFile(file: File, ways: Ways, told: (share: number) => void, signal: AbortSignal): Promise<void> {
  let waited = FIRST_WAIT_MS;
  let damaged = 0;
  let now: Received | null = null;
  while (!signal.aborted) {
    try {
      now ??= await ways.begin(file);
      told(file.size === 0 ? 1 : now.received / file.size);
      if (now.received >= file.size) {
        await ways.finish(now.upload);
        return;
      }
      const piece = file.slice(now.received, Math.min(now.received + now.piece_bytes, file.size));
      now = await ways.put(now.upload, now.received, piece, signal);
      waited = FIRST_WAIT_MS;
      damaged = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal && error.code === "conflict" && saysWhere(error.details)) {
        now = null; // another tab was quicker, or half a piece came: ask where it is
      } else if (error instanceof Refusal && error.code === "damaged" && (damaged += 1) < DAMAGED_MAX) {
        now = null;
      } else if (error instanceof Refusal && error.code === "no_such" && now) {
        now = null; // the server was started anew
      } else if (error instanceof Away) {
        now = null;
        await ways.wait(waited);
        waited = Math.min(2 * waited, LONGEST_WAIT_MS);
      } else throw error;
    }
  }
}

function saysWhere(details: unknown): boolean {
  return typeof details === "object" && details !== null && "received" in details;
}

/** SHA-256 of a piece in hexadecimal digits; null where the browser has none (plain HTTP from another machine). */
export async function digestOf(piece: Blob): Promise<string | null> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return null;
  const bytes = new Uint8Array(await subtle.digest("SHA-256", await piece.arrayBuffer()));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** A size as people say it: "812 kB", "1.4 GB". */
export function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[power]}`;
}
