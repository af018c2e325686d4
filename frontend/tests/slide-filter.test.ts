import { describe, expect, it } from "vitest";

import type { Slide, SlideFacts } from "../src/api/types";
import { clicked, filtered, listed, NO_FILTER, type SlideFilter } from "../src/lead/slide-filter";

const slides = Array.from({ length: 553 }, (_, at) => ({ id: at + 1, name: `slide ${at + 1}.svs`, case: `case ${at % 50}` })) as unknown as Slide[];
const facts: SlideFacts[] = slides.map(({ id }) => ({
  id,
  tags: id % 100 === 7 ? ["pilot"] : [],
  has_candidates: id <= 10,
  is_labelled: id % 2 === 0,
  split: id <= 20 ? "test" : null,
}));
const all = listed(slides, facts);
const found = (filter: Partial<SlideFilter>) => filtered(all, { ...NO_FILTER, ...filter }).map((one) => one.id);

describe("a filter of slides", () => {
  it("finds every word in name, case and tags", () => {
    expect(found({})).toHaveLength(553);
    expect(found({ query: "PILOT" })).toEqual([7, 107, 207, 307, 407, 507]);
    expect(found({ query: "pilot case 6" })).toEqual([7, 107, 207, 307, 407, 507]);
    expect(found({ query: "pilot 407" })).toEqual([407]);
    expect(found({ query: "nothing" })).toEqual([]);
  });

  it("asks for candidates, labels and split", () => {
    expect(found({ candidates: "with", labels: "without" })).toEqual([1, 3, 5, 7, 9]);
    expect(found({ candidates: "without", split: "test" })).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(found({ split: "none" })).toHaveLength(533);
  });
});

describe("clicks on rows", () => {
  it("turn one row over, or with Shift all from the last one as this one", () => {
    const none: ReadonlySet<number> = new Set();
    const one = clicked(none, all, 3, { last: null, isRange: false });
    expect([...one]).toEqual([3]);
    const range = clicked(one, all, 6, { last: 3, isRange: true });
    expect([...range]).toEqual([3, 4, 5, 6]);
    expect([...clicked(range, all, 4, { last: 6, isRange: true })]).toEqual([3]);
    expect([...clicked(none, all, 4, { last: null, isRange: true })]).toEqual([4]);
    const some = filtered(all, { ...NO_FILTER, query: "pilot" });
    expect([...clicked(none, some, 207, { last: 7, isRange: true })]).toEqual([207, 7, 107].sort((a, b) => a - b));
  });
});
