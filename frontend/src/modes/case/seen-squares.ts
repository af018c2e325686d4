import type { SeenSquares } from "../../api/types";
import type { Box, Frame, Point } from "../../viewer/frame";

/** The squares inside of a box whose middle a frame shows; `isSharp` says whether the pixels of a place are there. */
export function squaresIn(squares: SeenSquares, box: Box, frame: Frame, isSharp: (at: Point) => boolean): number[] {
  const { width, height, columns } = squares;
  const view = frame.visible();
  const left = Math.max(box.x, view.x);
  const right = Math.min(box.x + box.width, view.x + view.width);
  const top = Math.max(box.y, view.y);
  const bottom = Math.min(box.y + box.height, view.y + view.height);
  const found: number[] = [];
  for (let row = Math.floor(top / height); row * height < bottom; row += 1) {
    for (let column = Math.floor(left / width); column * width < right; column += 1) {
      // What is cut off at the edge of the window is judged by what of it lies inside.
      const at = { x: middle(column, width, box.x, box.width), y: middle(row, height, box.y, box.height) };
      const on = frame.toScreen(at);
      if (on.x < 0 || on.y < 0 || on.x >= frame.width || on.y >= frame.height || !isSharp(at)) continue;
      found.push(row * columns + column);
    }
  }
  return found;
}

function middle(index: number, side: number, start: number, length: number): number {
  return (Math.max(index * side, start) + Math.min((index + 1) * side, start + length)) / 2;
}
