import { expect, test } from "vitest";
import { nearest, tapped } from "../src/ui/sheet";

test("a sheet that is let go stops at the nearest height", () => {
  expect([0, 0.2, 0.35, 0.6, 0.7, 1].map(nearest)).toEqual(["low", "low", "half", "half", "high", "high"]);
});

test("a tap folds the sheet, and brings a folded one up", () => {
  expect(tapped("high")).toBe("low");
  expect(tapped("half")).toBe("low");
  expect(tapped("low")).toBe("half");
});
