import { expect, test } from "vitest";

import { scoresOf, thresholdOf } from "../src/lead/scores";

const CSV = "x,y,score,label\n1,2,0.95,mitotic figure\n3,4,0.387,mitotic figure candidate\n5,6,0.05,mitotic figure candidate\n";

test("the page knows how many candidates a threshold leaves out", () => {
  expect(scoresOf(CSV)).toEqual([0.95, 0.387, 0.05]);
  expect(scoresOf("x;y;score\n1,5;2;0,25\n")).toEqual([0.25]);
  expect(scoresOf("x,y\n1,2\n")).toBeNull();
});

test("the threshold is that of the search: its manifest's, else what the table calls candidates", () => {
  expect(thresholdOf(CSV, JSON.stringify({ threshold: { value: 0.4 } }))).toBe(0.4);
  expect(thresholdOf(CSV, null)).toBe(0.387);
  expect(thresholdOf("x,y,score\n1,2,0.3\n", null)).toBeNull();
  expect(thresholdOf(CSV, "{")).toBeNull();
});
