import { describe, expect, it } from "vitest";
import type { Round, RoundKind, Slide } from "../src/api/types";
import { chosenSlides, EVERY_SLIDE, standings, tagsOf, typedTags, workOn, type SlideQuery } from "../src/slides/slide-query";

function slide(id: number, name: string, mpp: number | null = 0.25, state: Slide["state"] = "ok"): Slide {
  const size = { width: 1000, height: 800, tile_size: 256, max_level: 10 };
  return { id, name, case: `case ${id}`, mpp, mpp_x: mpp, mpp_y: mpp, state, reason: null, mend: null, hint_mpp: null, hint_by_nuclei: null, ...size };
}

const ALL = standings(
  [slide(1, "slide 10.svs"), slide(2, "slide 2.svs", 0.5), slide(3, "Slide 1.svs", null), slide(4, "gone.svs", null, "missing")],
  [
    { id: 1, tags: ["pilot", "grade 3"], labelled: 4, cells: 4, count: 31 },
    { id: 2, tags: ["pilot"], labelled: 1, cells: 9, count: null },
    { id: 3, tags: [], labelled: 0, cells: 2, count: 2 },
  ],
);

function ids(query: Partial<SlideQuery>): number[] {
  return chosenSlides(ALL, { ...EVERY_SLIDE, ...query }).map((one) => one.slide.id);
}

describe("the list of slides", () => {
  it("is ordered by name as people number, or by what matters", () => {
    expect(ids({})).toEqual([4, 3, 2, 1]);
    expect(ids({ order: "to do" })).toEqual([2, 3, 4, 1]);
    expect(ids({ order: "count" })).toEqual([1, 3, 4, 2]);
    expect(ids({ order: "resolution" })).toEqual([1, 2, 4, 3]);
  });

  it("is found by words, tag and status", () => {
    expect(ids({ text: "PILOT svs" })).toEqual([2, 1]);
    expect(ids({ text: "case 2" })).toEqual([2]);
    expect(ids({ tag: "grade 3" })).toEqual([1]);
    expect(ids({ status: "to do" })).toEqual([3, 2]);
    expect(ids({ status: "counted" })).toEqual([3, 1]);
    expect(ids({ status: "no resolution" })).toEqual([3]);
    expect(ids({ status: "absent" })).toEqual([4]);
    expect(ids({ text: "nowhere" })).toEqual([]);
  });

  it("knows its tags, and reads typed ones", () => {
    expect(tagsOf(ALL)).toEqual(["grade 3", "pilot"]);
    expect(typedTags(" pilot,  grade   2,, pilot ")).toEqual(["pilot", "grade 2"]);
  });

  it("opens a slide in its case, else in other open work on it", () => {
    const round = (id: number, kind: RoundKind, slides: number[], isOpen = true) => ({ id, kind, slides, is_open: isOpen }) as unknown as Round;
    const rounds = [round(1, "second read", [7]), round(2, "unstated", [7, 8]), round(3, "case review", [7]), round(4, "screening", [9], false)];
    expect(workOn(7, rounds)?.id).toBe(3);
    expect(workOn(8, rounds)?.id).toBe(2);
    expect(workOn(9, rounds)).toBeUndefined();
  });
});
