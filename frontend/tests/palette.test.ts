import { expect, test } from "vitest";
import { matching, type Entry } from "../src/keys/palette";

const entry = (title: string, kind: string): Entry => ({ title, kind, run: () => undefined });
const ENTRIES = [
  entry("Field done, next one", "Screening"),
  entry("Zoom in", "View"),
  entry("Next field", "Screening"),
  entry("lung-12.svs", "Slide"),
  entry("Context", "View"),
];

test.each([
  ["", ["Field done, next one", "Zoom in", "Next field", "lung-12.svs", "Context"]],
  ["next", ["Next field", "Field done, next one"]],
  ["ext", ["Field done, next one", "Next field", "Context"]],
  ["slide 12", ["lung-12.svs"]],
  ["screening one", ["Field done, next one"]],
  ["nothing", []],
])("%j is found by name and kind, beginnings first", (text, titles) => {
  expect(matching(ENTRIES, text).map(({ title }) => title)).toEqual(titles);
});
