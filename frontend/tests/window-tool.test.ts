import { expect, test } from "vitest";
import { WindowTool } from "../src/modes/window-tool";
import { Frame } from "../src/viewer/frame";

const WINDOW = { x: 1000, y: 1000, width: 2000, height: 1500 };

function drags(scale: number, x: number, y: number): boolean {
  const frame = new Frame({ x: 2000, y: 1750 }, scale, 0, 1000, 700);
  const tool = new WindowTool(
    () => WINDOW,
    () => frame,
    { width: 9000, height: 9000 },
    () => undefined,
  );
  return tool.press({ screen: frame.toScreen({ x, y }), slide: { x, y }, shift: false, alt: false });
}

test("a window that is in view is moved from anywhere inside, a larger one by its edge, so that the slide can be panned", () => {
  expect([drags(0.2, 2000, 1750), drags(0.2, 1010, 1100), drags(0.2, 900, 1750)]).toEqual([true, true, false]);
  expect([drags(1, 2000, 1750), drags(1, 1006, 1700), drags(1, 994, 1700), drags(1, 1030, 1700)]).toEqual([false, true, true, false]);
});
