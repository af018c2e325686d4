import { describe, expect, it } from "vitest";
import { glassPlace, glassScale } from "../src/tools/magnifier";
import { adjusted, AS_IT_IS, filterOf } from "../src/viewer/look";
import { densityTable, EOSIN, HAEMATOXYLIN, haematoxylinMatrix, haematoxylinRow, lightTable } from "../src/viewer/stains";

type Colour = readonly [number, number, number];

function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((part) => part / length);
}

/** The colour that amounts of haematoxylin and eosin leave of white light. */
function stained(haematoxylin: number, eosin: number): Colour {
  const [h, e] = [unit(HAEMATOXYLIN), unit(EOSIN)];
  return [0, 1, 2].map((at) => 255 * 10 ** -(haematoxylin * h[at]! + eosin * e[at]!)) as unknown as Colour;
}

/** What the filter does to a colour: each step rounds to 8 bits, and keeps to them. */
function filtered(colour: Colour): number[] {
  const byte = (value: number) => Math.round(255 * Math.min(Math.max(value, 0), 1));
  const densities = colour.map((value) => byte(densityTable()[Math.round(value)]!) / 255);
  const weighed = haematoxylinMatrix().map((row) => byte(row.reduce((sum, part, at) => sum + part * densities[at]!, 0)));
  return weighed.map((value) => byte(lightTable()[value]!));
}

describe("colour deconvolution", () => {
  it("tells haematoxylin from eosin", () => {
    const row = haematoxylinRow();
    const amount = (vector: readonly number[]) => unit(vector).reduce((sum, part, at) => sum + part * row[at]!, 0);
    expect(amount(HAEMATOXYLIN)).toBeCloseTo(1);
    expect(amount(EOSIN)).toBeCloseTo(0);
  });

  it("shows, in 8 bits a step, what haematoxylin alone leaves of the light", () => {
    for (const haematoxylin of [0, 0.1, 0.4, 0.8, 1.2]) {
      for (const eosin of [0, 0.2, 0.5]) {
        const shown = filtered(stained(haematoxylin, eosin));
        stained(haematoxylin, 0).forEach((wanted, at) => expect(Math.abs(shown[at]! - wanted)).toBeLessThanOrEqual(9));
      }
    }
  });
});

describe("a look", () => {
  it("leaves the slide as it is unless something is changed", () => {
    for (const value of [0, 0.3, 0.5, 1]) expect(adjusted(value, AS_IT_IS)).toBeCloseTo(value);
    expect(filterOf(AS_IT_IS)).toBe("");
    expect(filterOf({ ...AS_IT_IS, gamma: 1.2 })).toContain("url(#");
  });

  it("brightens, spreads and lifts the middle", () => {
    expect(adjusted(0.5, { ...AS_IT_IS, brightness: 0.2 })).toBeCloseTo(0.7);
    expect(adjusted(0.75, { ...AS_IT_IS, contrast: 0.5 })).toBeCloseTo(1);
    expect(adjusted(0.25, { ...AS_IT_IS, contrast: -1 })).toBeCloseTo(0.5);
    expect(adjusted(0.25, { ...AS_IT_IS, gamma: 2 })).toBeCloseTo(0.5);
    expect(adjusted(0.9, { ...AS_IT_IS, brightness: 0.5 })).toBe(1);
  });
});

describe("the magnifier", () => {
  it("shows 40×, or twice what the view shows", () => {
    expect(glassScale(0.1, 0.25)).toBeCloseTo(1);
    expect(glassScale(0.8, 0.25)).toBeCloseTo(1.6);
    expect(glassScale(0.1, 0.5)).toBeCloseTo(2);
  });

  it("stays in the view", () => {
    const view = { width: 800, height: 600 };
    expect(glassPlace({ x: 100, y: 300 }, view)).toEqual({ x: 128, y: 190 });
    expect(glassPlace({ x: 700, y: 20 }, view)).toEqual({ x: 452, y: 8 });
  });
});
