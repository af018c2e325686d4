import { describe, expect, it } from "vitest";

import { Frame } from "../src/viewer/frame";
import { centring, reach } from "../src/viewer/framing";
import { LoadedTiles } from "../src/viewer/loaded-tiles";
import { leastScale, magnificationOf, scaleOf } from "../src/viewer/magnification";
import { onSlide, Shown } from "../src/viewer/shown";

const MPP = 0.25;
const FIELD = { x: 1000, y: 2000, width: 1920, height: 1080 };
const NO_MARGINS = { top: 0, right: 0, bottom: 0, left: 0 };
const LAPTOP = { width: 1070, height: 700 };
const isThere = () => true;

function field(): Shown {
  return new Shown(FIELD, leastScale(MPP));
}

function over(magnification: number, at = { x: 1960, y: 2540 }, view = LAPTOP, degrees = 0): Frame {
  return new Frame(at, scaleOf(magnification, MPP), degrees, view.width, view.height);
}

describe("a field counts as shown", () => {
  it("when all of it was on the screen, large enough and sharp", () => {
    const shown = field();
    shown.note(over(20), isThere);
    expect(shown.isAll).toBe(true);
    expect(shown.rest(1070, 700)).toBeNull();
  });

  it("not at a glance from afar, however long", () => {
    const shown = field();
    shown.note(over(1.8), isThere);
    shown.note(over(9.8), isThere);
    expect(shown.fraction).toBe(0);
    expect(shown.isWaiting(over(9.8))).toBe(false);
    shown.note(over(10), isThere);
    expect(shown.isAll).toBe(true);
  });

  it("not while its pixels are missing", () => {
    const shown = field();
    shown.note(over(20), ({ x }) => x < 1960);
    expect(shown.fraction).toBeCloseTo(0.5);
    expect(shown.isWaiting(over(20))).toBe(true);
    shown.note(over(20), isThere);
    expect(shown.isAll).toBe(true);
  });

  it.each([0, 90])("part by part where the view is smaller, turned by %d°", (degrees) => {
    const shown = field();
    const { width, height } = reach(over(40, undefined, LAPTOP, degrees), NO_MARGINS, scaleOf(40, MPP));
    let steps = 0;
    for (let part = shown.rest(width, height); part; part = shown.rest(width, height)) {
      const frame = over(40, undefined, LAPTOP, degrees);
      shown.note(over(40, centring(part, frame, NO_MARGINS, frame.scale), LAPTOP, degrees), isThere);
      steps += 1;
      expect(steps).toBeLessThan(10);
    }
    expect(steps).toBe(degrees === 0 ? 4 : 3);
  });

  it("by the part that lies on the slide", () => {
    expect(onSlide({ x: -100, y: 900, width: 300, height: 200 }, { width: 1280, height: 960 })).toEqual({
      x: 0,
      y: 900,
      width: 200,
      height: 60,
    });
  });
});

describe("a view is sharp", () => {
  const pyramid = { tileSize: 256, maxLevel: 11 };
  const at = { x: 600, y: 300 };
  const tile = (level: number, x: number, y: number, loaded = true) => ({ level, x, y, loaded });

  it.each([
    [1, 11, true],
    [3, 11, true],
    [1, 10, false],
    [0.5, 10, true],
    [0.5, 9, false],
    [0.3, 10, true],
    [0.3, 9, false],
    [0.2, 9, true],
  ])("at %d px a pixel with level %d: %s", (scale, level, expected) => {
    const tiles = new LoadedTiles(pyramid);
    const side = 256 * 2 ** (11 - level);
    tiles.add(tile(level, Math.floor(at.x / side), Math.floor(at.y / side)));
    expect(tiles.isSharp(at, scale)).toBe(expected);
    expect(tiles.isSharp({ x: at.x + 4 * side, y: at.y }, scale)).toBe(false);
  });

  it("no longer once the pixels were let go", () => {
    const tiles = new LoadedTiles(pyramid);
    const gone = tile(11, 2, 1);
    tiles.add(gone);
    expect(tiles.isSharp(at, 1)).toBe(true);
    gone.loaded = false;
    expect(tiles.isSharp(at, 1)).toBe(false);
  });
});

describe("about 10× is the least to label at", () => {
  it.each([0.25, 0.5, 1])("on a slide of %d µm/px", (mpp) => {
    expect(scaleOf(10, mpp)).toBeGreaterThanOrEqual(leastScale(mpp));
    expect(scaleOf(9.5, mpp)).toBeLessThan(leastScale(mpp));
    expect(magnificationOf(leastScale(mpp), mpp)).toBeCloseTo(9.9);
  });
});
