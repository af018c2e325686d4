import { describe, expect, it } from "vitest";
import { ordered, stepFrom } from "../src/modes/case/order";
import { squaresIn } from "../src/modes/case/seen-squares";
import type { Cell } from "../src/viewer/cell-table";
import { Frame } from "../src/viewer/frame";

function cell(id: number, x: number, y: number, score: number | null): Cell {
  return { id, x, y, score, label: 0, own: false, rater: null };
}

const CELLS = [cell(1, 900, 10, 0.4), cell(2, 10, 12, 0.9), cell(3, 500, 905, null), cell(4, 20, 900, 0.4)];
const ids = (cells: readonly Cell[]) => cells.map(({ id }) => id);

describe("the order of candidates", () => {
  it("is by score, what was added by hand first, equal scores by number", () => {
    expect(ids(ordered(CELLS, "score"))).toEqual([3, 2, 1, 4]);
  });
  it("is by place in rows to and fro, and loses none", () => {
    expect(ids(ordered(CELLS, "place"))).toEqual([2, 1, 3, 4]);
    expect(ordered([], "place")).toEqual([]);
  });
  it("goes around the end, and begins at the first where none is selected", () => {
    const order = ordered(CELLS, "score");
    expect(stepFrom(order, null, -1)?.id).toBe(3);
    expect(stepFrom(order, 4, 1)?.id).toBe(3);
    expect(stepFrom(order, 3, -1)?.id).toBe(4);
    expect(stepFrom([], 4, 1)).toBeUndefined();
  });
});

describe("squares that were seen", () => {
  const squares = { width: 100, height: 100, columns: 20 };
  const box = { x: 150, y: 0, width: 250, height: 200 };
  const view = (x: number, y: number, width: number, height: number) => new Frame({ x, y }, 1, 0, width, height);

  it("are those of the window whose middle is in view", () => {
    expect(squaresIn(squares, box, view(1000, 1000, 4000, 4000), () => true)).toEqual([1, 2, 3, 21, 22, 23]);
    expect(squaresIn(squares, box, view(250, 50, 110, 110), () => true)).toEqual([2]);
    expect(squaresIn(squares, box, view(1500, 1500, 200, 200), () => true)).toEqual([]);
  });
  it("are judged at the edge by what of them lies in the window", () => {
    // The left square reaches from 100 to 200, of which the window holds 150 to 200: its middle is at 175.
    expect(squaresIn(squares, box, view(185, 50, 40, 40), () => true)).toEqual([1]);
  });
  it("are not seen while their pixels are not there", () => {
    expect(squaresIn(squares, box, view(1000, 1000, 4000, 4000), ({ x }) => x > 300)).toEqual([3, 23]);
  });
});
