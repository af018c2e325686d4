import { describe, expect, it } from "vitest";
import { ALL, listed, type Question } from "../src/tools/listing";
import type { Cell } from "../src/viewer/cell-table";
import { heatMap } from "../src/viewer/heat-map";

function cell(id: number, x: number, y: number, label: number, score: number | null = null, rater: string | null = null): Cell {
  return { id, x, y, label, score, own: false, rater };
}

const CELLS = [cell(1, 900, 10, 1, 0.4, "Anna"), cell(2, 100, 500, 2, null, "Bert"), cell(3, 50, 600, 0, 0.9), cell(4, 300, 20, 1, 0.9, "Bert")];
const NAMES = ["without class", "Mitotic figure", "look-alike"];
const KNOWN = { nameOf: (label: number) => NAMES[label]!, commentsOn: (id: number) => (id === 2 ? "Pyknotic, next to the vessel" : "") };

function ids(question: Partial<Question>): number[] {
  return listed(CELLS, { ...ALL, ...question }, KNOWN).map((one) => one.id);
}

describe("the list of cells", () => {
  it("goes from the top in bands unless it is sorted otherwise", () => {
    expect(ids({})).toEqual([2, 4, 1, 3]);
    expect(ids({ order: "class" })).toEqual([2, 4, 1, 3]);
    expect(ids({ order: "score", falling: true })).toEqual([4, 3, 1, 2]);
    expect(ids({ order: "score" })).toEqual([2, 1, 4, 3]);
    expect(ids({ order: "rater" })).toEqual([3, 1, 2, 4]);
  });

  it("finds all words in class, rater, number or comment", () => {
    expect(ids({ text: "mitotic bert" })).toEqual([4]);
    expect(ids({ text: "VESSEL" })).toEqual([2]);
    expect(ids({ text: "nothing" })).toEqual([]);
    expect(ids({ label: 0 })).toEqual([3]);
    expect(ids({ commented: true })).toEqual([2]);
  });

  it("takes 100,000 cells", () => {
    const many = Array.from({ length: 100_000 }, (_, id) => cell(id, (id * 7919) % 50_000, (id * 104_729) % 50_000, id % 3, (id % 100) / 100));
    const found = listed(many, { ...ALL, label: 1, order: "score", falling: true }, KNOWN);
    expect(found).toHaveLength(33_333);
    expect(found.every((one, at) => at === 0 || one.score! <= found[at - 1]!.score!)).toBe(true);
  });
});

describe("a heat map", () => {
  const size = { width: 2560, height: 1280 };

  it("spreads cells and loses none away from the border", () => {
    const map = heatMap([cell(1, 1280, 640, 1), cell(2, 1290, 640, 1)], size, "density");
    expect([map.columns, map.rows, map.side]).toEqual([256, 128, 10]);
    expect(map.values.reduce((sum, one) => sum + one, 0)).toBeCloseTo(2, 4);
    const top = map.values.indexOf(map.highest);
    expect([128, 129]).toContain(top % 256);
    expect(Math.floor(top / 256)).toBe(64);
  });

  it("tells the mean score of those that have one", () => {
    const map = heatMap([cell(1, 1280, 640, 1, 0.2), cell(2, 1280, 640, 1, 0.6), cell(3, 100, 100, 1)], size, "score");
    expect(map.values[64 * 256 + 128]).toBeCloseTo(0.4, 5);
    expect(map.weights[10 * 256 + 10]).toBe(0);
    expect(map.highest).toBe(1);
  });

  it("spreads by about half a field, whatever the size of the slide", () => {
    const wide = (width: number) => {
      const map = heatMap([cell(1, width / 2, width / 2, 1)], { width, height: width, mpp: 0.25 }, "density");
      return Math.sqrt(1 / (2 * Math.PI * map.highest)) * map.side * 0.25; // of a Gaussian of one cell
    };
    for (const width of [16_000, 32_000, 60_000]) expect(wide(width)).toBeCloseTo(120, -1);
  });

  it("is empty where nobody has a score", () => {
    expect(
      heatMap(
        CELLS.filter((one) => one.score === null),
        size,
        "score",
      ).weights.every((one) => one === 0),
    ).toBe(true);
  });
});
