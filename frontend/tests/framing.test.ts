import { describe, expect, it } from "vitest";

import { Frame } from "../src/viewer/frame";
import { centring, framing, reach } from "../src/viewer/framing";

const BOX = { x: 400, y: 100, width: 800, height: 200 };
const MARGINS = { top: 78, right: 10, bottom: 52, left: 10 };

describe.each([0, 90, 180, 270])("a view turned by %d°", (degrees) => {
  const view = new Frame({ x: 0, y: 0 }, 1, degrees, 1366, 768);

  it("shows all of a box that is brought into it, clear of its margins", () => {
    const { centre, scale } = framing(BOX, view, MARGINS);
    const frame = new Frame(centre, scale, degrees, view.width, view.height);
    for (const x of [BOX.x, BOX.x + BOX.width]) {
      for (const y of [BOX.y, BOX.y + BOX.height]) {
        const at = frame.toScreen({ x, y });
        expect(at.x).toBeGreaterThanOrEqual(MARGINS.left - 1e-6);
        expect(at.x).toBeLessThanOrEqual(view.width - MARGINS.right + 1e-6);
        expect(at.y).toBeGreaterThanOrEqual(MARGINS.top - 1e-6);
        expect(at.y).toBeLessThanOrEqual(view.height - MARGINS.bottom + 1e-6);
      }
    }
  });

  it("puts the middle of a box into the middle between its margins, at any scale", () => {
    const frame = new Frame(centring(BOX, view, MARGINS, 0.3), 0.3, degrees, view.width, view.height);
    const at = frame.toScreen({ x: 800, y: 200 });
    expect(at.x).toBeCloseTo((MARGINS.left + view.width - MARGINS.right) / 2);
    expect(at.y).toBeCloseTo((MARGINS.top + view.height - MARGINS.bottom) / 2);
  });

  it("reaches as far as its room at a scale", () => {
    const { width, height } = reach(view, MARGINS, 2);
    const room = [673, 319];
    expect([width, height].map(Math.round)).toEqual(degrees % 180 === 0 ? room : [...room].reverse());
  });

  it("knows the way back from the screen", () => {
    const frame = new Frame({ x: 3000, y: 2000 }, 0.7, degrees, 1366, 768);
    const back = frame.toSlide(frame.toScreen({ x: 1234, y: 567 }));
    expect(back.x).toBeCloseTo(1234);
    expect(back.y).toBeCloseTo(567);
  });
});
