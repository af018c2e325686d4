import { describe, expect, it } from "vitest";
import { circleMm2, fieldDiameterUm } from "../src/tools/field";
import { gridStep } from "../src/tools/grid";
import { reading } from "../src/tools/measure";
import { areaMm2, formatArea, formatLength, lengthUm } from "../src/viewer/resolution";

const MPP = { x: 0.25, y: 0.5 };

describe("measures", () => {
  it("lengths along each axis by its own resolution", () => {
    expect(
      lengthUm(
        [
          { x: 0, y: 0 },
          { x: 400, y: 0 },
        ],
        MPP,
      ),
    ).toBeCloseTo(100);
    expect(
      lengthUm(
        [
          { x: 0, y: 0 },
          { x: 0, y: 400 },
        ],
        MPP,
      ),
    ).toBeCloseTo(200);
    expect(
      lengthUm(
        [
          { x: 0, y: 0 },
          { x: 12, y: 0 },
          { x: 12, y: 8 },
        ],
        MPP,
      ),
    ).toBeCloseTo(7);
    expect(lengthUm([{ x: 5, y: 5 }], MPP)).toBe(0);
  });

  it("areas whichever way round they are drawn", () => {
    const square = [
      { x: 10, y: 10 },
      { x: 4010, y: 10 },
      { x: 4010, y: 2010 },
      { x: 10, y: 2010 },
    ];
    expect(areaMm2(square, MPP)).toBeCloseTo(1);
    expect(areaMm2([...square].reverse(), MPP)).toBeCloseTo(1);
    expect(reading({ points: square, isArea: true }, MPP)).toBe("1.00 mm², perimeter 4.00 mm");
    expect(reading({ points: square.slice(0, 2), isArea: false }, MPP)).toBe("1.00 mm");
  });

  it("in words with as many digits as they are worth", () => {
    expect([0.4, 12.35, 549.3, 999.9, 1250, 123_400].map(formatLength)).toEqual(["0.4 µm", "12.3 µm", "549 µm", "1000 µm", "1.25 mm", "123 mm"]);
    expect([0, 0.000318, 0.0124, 0.237, 2.37].map(formatArea)).toEqual(["0.00 mm²", "318 µm²", "0.0124 mm²", "0.237 mm²", "2.37 mm²"]);
  });
});

describe("a high-power field", () => {
  it("has 0.237 mm² unless the eyepiece's field number is another", () => {
    expect(circleMm2(fieldDiameterUm(null))).toBeCloseTo(0.237, 9);
    expect(fieldDiameterUm(22)).toBeCloseTo(550);
    expect(circleMm2(fieldDiameterUm(22))).toBeCloseTo(0.2376, 4);
  });
});

describe("a grid", () => {
  it("has the least round distance that leaves its lines apart", () => {
    for (const scale of [0.0003, 0.01, 0.07, 0.9, 1, 4, 33]) {
      const step = gridStep(scale);
      expect(step * scale).toBeGreaterThanOrEqual(90);
      expect(step * scale).toBeLessThanOrEqual(226);
      expect([1, 2, 5, 10]).toContain(Number((step / 10 ** Math.floor(Math.log10(step) + 1e-9)).toPrecision(3)));
    }
  });
});
