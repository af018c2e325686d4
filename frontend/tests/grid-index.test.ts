import { describe, expect, it } from "vitest";

import type { Box } from "../src/viewer/frame";
import { GridIndex } from "../src/viewer/grid-index";

/** Points that are the same in every run. */
function scattered(n: number): { x: number; y: number }[] {
  let state = 1;
  const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  return Array.from({ length: n }, () => ({ x: next() * 40_000, y: next() * 9_000 }));
}

const VIEWS: Box[] = [
  { x: 0, y: 0, width: 40_000, height: 9_000 },
  { x: 12_000, y: 3_000, width: 1_366, height: 768 },
  { x: -500, y: -500, width: 600, height: 600 },
  { x: 50_000, y: 50_000, width: 10, height: 10 },
];

describe("points by place", () => {
  const points = scattered(5_000);
  const index = new GridIndex(points);

  it.each(VIEWS)("finds exactly the points of a half-open box: %o", (box) => {
    const inside = points.filter(({ x, y }) => x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height);
    expect(new Set(index.in(box))).toEqual(new Set(inside));
    expect(index.atMost(box)).toBeGreaterThanOrEqual(inside.length);
  });

  it("holds no points, and one", () => {
    expect(new GridIndex([]).in(VIEWS[0]!)).toEqual([]);
    expect(new GridIndex([{ x: 5, y: 5 }]).in({ x: 5, y: 5, width: 1, height: 1 })).toHaveLength(1);
    expect(new GridIndex([{ x: 5, y: 5 }]).in({ x: 4, y: 4, width: 1, height: 1 })).toHaveLength(0);
  });
});
