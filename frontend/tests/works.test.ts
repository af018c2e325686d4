import { expect, test } from "vitest";

import type { RaterWork, ReviewRounds, StaffedRound } from "../src/api/types";
import { duration } from "../src/ui/duration";
import { isOpen, roundsOf, summed, worksOf } from "../src/lead/works";

const round = (id: number, name: string, more: Partial<StaffedRound> = {}) => ({ id, name, kind: "candidate review", is_open: true, ...more }) as StaffedRound;

test("a review of ten groups is one piece of work with its passes", () => {
  const groups = Array.from({ length: 10 }, (_, at) => round(at + 2, `odael, bin ${at + 1} of 10`));
  const rounds = [round(1, "screening", { kind: "screening" }), ...groups, round(12, "odael, third expert"), round(13, "odael, outcome")];
  const review: ReviewRounds = {
    name: "odael",
    kind: "candidate review",
    first: groups.map((one) => one.id),
    second: null,
    third: 12,
    outcome: 13,
    proposals: null,
    note: "",
  };
  const works = worksOf({ rounds, reviews: [review] });
  expect(works.map((work) => work.title)).toEqual(["odael", "screening"]);
  expect(works[0]?.passes.map((pass) => [pass.title, pass.rounds.length])).toEqual([
    ["First reading", 10],
    ["Third expert", 1],
  ]);
  expect(works.flatMap((work) => roundsOf(work).map((one) => one.id)).sort((a, b) => a - b)).toEqual([1, ...groups.map((one) => one.id), 12]);
  expect(works.map(isOpen)).toEqual([true, true]);
});

test("what is left of all groups goes by the rater's own pace", () => {
  const row = (id: number, done: number, of: number, seconds: number | null) =>
    ({ round: id, rater: 7, rater_name: "B", unit: "cells", done, of, seconds, left_s: null, last_s: null, is_estimate: false }) as unknown as RaterWork;
  const rows = [row(2, 10, 10, 3), row(3, 5, 20, 9), row(4, 0, 70, null), row(9, 1, 1, 1000)];
  const [one] = summed(rows, [2, 3, 4]);
  expect([one?.done, one?.of, one?.seconds, one?.left_s]).toEqual([15, 100, 5, 425]);
  expect(summed([row(2, 0, 10, null)], [2])[0]?.left_s).toBeNull();
  expect([40, 425, 3 * 3600].map(duration)).toEqual(["less than a minute", "7 min", "3 h"]);
});
