import { describe, expect, it } from "vitest";
import { aimOf, routeToCell, routeToNamed, routeToView, slidePart } from "../src/state/aim";
import { Frame } from "../src/viewer/frame";
import { following } from "../src/viewer/joint";

const parts = (route: string): string[] => route.split("/").filter(Boolean);

describe("links", () => {
  it("lead back to the view they were made of", () => {
    for (const slide of [
      ["round", "3", "slide", "1"],
      ["regions", "7"],
    ]) {
      const view = { x: 1234.5, y: 9.2, scale: 0.0123, degrees: 90 };
      expect(aimOf(parts(routeToView(slide, view)))).toEqual({ view });
      expect(slidePart(parts(routeToView(slide, view)))).toEqual(slide);
    }
    expect(routeToView(["regions", "7"], { x: 1, y: 2, scale: 0.333333333, degrees: -90 })).toBe("/regions/7/at/1.0,2.0,0.33333,270");
    expect(aimOf(parts(routeToCell(["round", "3", "slide", "1"], 812)))).toEqual({ cell: 812 });
  });

  it("find a slide by its name, as a page outside of the study knows it", () => {
    const slides = [
      { id: 4, name: "A 12/b.svs" },
      { id: 5, name: "two.svs" },
      { id: 6, name: "two.tif" },
    ];
    expect(routeToNamed(parts("/slide/A%2012%2Fb/at/1200,800"), slides)).toBe("/regions/4/at/1200,800");
    expect(routeToNamed(parts("/slide/two.tif"), slides)).toBe("/regions/6");
    for (const bad of ["/slide/two", "/slide/none", "/slide/%zz", "/slide", "/regions/4"]) expect(routeToNamed(parts(bad), slides)).toBeNull();
  });

  it("aim at nothing where they are broken", () => {
    const bad = [
      "",
      "/round/3",
      "/round/3/slide/1",
      "/round/3/slide/1/at/1,2",
      "/round/3/slide/1/at/1,2,0,0",
      "/round/3/slide/1/at/a,b,c,d",
      "/round/3/slide/1/at/1,2,1,",
      "/round/3/slide/1/cell/x1",
      "/round/3/slide/1/cell",
      "/regions/7/at/Infinity,1,1,0",
      "/study/people",
    ];
    for (const route of bad) expect(aimOf(parts(route)), route).toBeNull();
  });
});

describe("two views that move together", () => {
  const leader = new Frame({ x: 1000, y: 500 }, 0.5, 0, 800, 600);
  const follower = new Frame({ x: 200, y: 300 }, 0.25, 90, 800, 600);

  it("stay as they are until one moves", () => {
    const there = following(leader, { leader, follower });
    expect(there.centre.x).toBeCloseTo(200);
    expect(there).toMatchObject({ scale: 0.25, degrees: 90 });
  });

  it("move alike on the screen, however they are turned and zoomed", () => {
    const now = new Frame({ x: 1100, y: 540 }, 1, 15, 800, 600);
    const { centre, scale, degrees } = following(now, { leader, follower });
    expect([scale, degrees]).toEqual([0.5, 105]);
    const moved = leader.toScreen(now.centre);
    const alike = follower.toScreen(centre);
    expect(alike.x).toBeCloseTo(moved.x);
    expect(alike.y).toBeCloseTo(moved.y);
  });
});
