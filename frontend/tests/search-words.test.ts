import { describe, expect, it } from "vitest";

import type { SlideSearch } from "../src/api/types";
import { describeSearch, formatSeconds } from "../src/search/words";

const SEARCH: SlideSearch = {
  slide: 1,
  model: "cascade",
  point: null,
  state: "running",
  reason: "",
  done_mm2: 12.34,
  of_mm2: 40,
  eta_s: 95,
  candidates: null,
  figures: null,
};

describe("a search in words", () => {
  it.each([
    [{}, "12.3 of 40.0 mm², 2 min left"],
    [{ eta_s: null }, "12.3 of 40.0 mm²"],
    [{ done_mm2: 40 }, "40.0 of 40.0 mm²; the second network looks at the candidates …"],
    [{ of_mm2: 0, done_mm2: 0 }, "opening the slide …"],
    [{ state: "waiting", of_mm2: 0 }, "waits for its turn"],
    [{ state: "paused" }, "paused at 12.3 of 40.0 mm²"],
    [{ state: "failed", reason: "a.svs: no tissue" }, "a.svs: no tissue"],
    [{ state: "done", figures: 1, candidates: 1234 }, "1 mitotic figure, 1,234 candidates on 40.0 mm²"],
  ] as const)("%o", (change, words) => {
    expect(describeSearch({ ...SEARCH, ...change })).toBe(words);
  });

  it("says how long in units that one plans with", () => {
    expect([3, 21, 60, 61, 3600, 7385].map(formatSeconds)).toEqual(["10 s", "30 s", "1 min", "2 min", "1 h 0 min", "2 h 4 min"]);
  });
});
