import { describe, expect, it } from "vitest";
import { Away, Refusal } from "../src/api/errors";
import { digestOf, formatBytes, sendFile, type Received, type Ways } from "../src/files/upload";

const FILE = new File(["abcdefghij"], "slide.svs", { lastModified: 5 });

/** A server that keeps what comes, in pieces of four, and fails as it is told. */
function server(failures: (() => Error)[] = []) {
  let content = "";
  const offsets: number[] = [];
  const waits: number[] = [];
  let finished = 0;
  const state = (): Received => ({ upload: "u", received: content.length, piece_bytes: 4 });
  const ways: Ways = {
    begin: async () => state(),
    put: async (_, offset, piece) => {
      offsets.push(offset);
      const failure = failures.shift();
      if (failure) throw failure();
      content += await piece.text();
      return state();
    },
    finish: async () => void (finished += 1),
    wait: async (ms) => void waits.push(ms),
  };
  return { ways, offsets, waits, content: () => content, lose: (to: number) => (content = content.slice(0, to)), finished: () => finished };
}

const ALWAYS = new AbortController().signal;
const refused = (code: string, details: object = {}) => new Refusal(409, code, "no", null, { ...details });

describe("a file is sent in pieces", () => {
  it("from first to last, and is finished once", async () => {
    const there = server();
    const shares: number[] = [];
    await sendFile(FILE, there.ways, (share) => shares.push(share), ALWAYS);
    expect(there.content()).toBe("abcdefghij");
    expect(there.offsets).toEqual([0, 4, 8]);
    expect(shares).toEqual([0, 0.4, 0.8, 1]);
    expect(there.finished()).toBe(1);
  });

  it("on from where the server is", async () => {
    const there = server();
    await sendFile(FILE, there.ways, () => undefined, ALWAYS);
    there.lose(6);
    await sendFile(FILE, there.ways, () => undefined, ALWAYS);
    expect(there.offsets).toEqual([0, 4, 8, 6]);
    expect(there.content()).toBe("abcdefghij");
  });

  it("again after the server was away, waiting longer each time", async () => {
    const there = server([() => new Away(), () => new Away()]);
    await sendFile(FILE, there.ways, () => undefined, ALWAYS);
    expect(there.waits).toEqual([1000, 2000]);
    expect(there.content()).toBe("abcdefghij");
  });

  it("again where a piece was damaged, overtaken or the server was started anew", async () => {
    const there = server([() => refused("damaged"), () => refused("conflict", { received: 0 }), () => refused("no_such")]);
    await sendFile(FILE, there.ways, () => undefined, ALWAYS);
    expect(there.content()).toBe("abcdefghij");
  });

  it("not for ever: what does not get better is said", async () => {
    await expect(sendFile(FILE, server([() => refused("disk_full")]).ways, () => undefined, ALWAYS)).rejects.toThrow(Refusal);
    const damaged = Array.from({ length: 9 }, () => () => refused("damaged"));
    await expect(sendFile(FILE, server(damaged).ways, () => undefined, ALWAYS)).rejects.toThrow(Refusal);
    const taken = server();
    taken.ways.begin = () => Promise.reject(refused("conflict"));
    await expect(sendFile(FILE, taken.ways, () => undefined, ALWAYS)).rejects.toThrow(Refusal);
  });

  it("no further once it is taken back", async () => {
    const stopping = new AbortController();
    const there = server([() => (stopping.abort(), new Error("aborted"))]);
    await sendFile(FILE, there.ways, () => undefined, stopping.signal);
    expect(there.finished()).toBe(0);
  });
});

it("a piece has the hash that everybody computes", async () => {
  expect(await digestOf(new Blob(["abc"]))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

it("sizes are said as people say them", () => {
  expect([0, 999, 1000, 812_345, 1_400_000_000, 250_000_000].map(formatBytes)).toEqual(["0 bytes", "999 bytes", "1.0 kB", "812 kB", "1.4 GB", "250 MB"]);
});
