import { Frame, type Box, type Point } from "./frame";

/** CSS pixels at the edges of a view. */
export interface Margins {
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
}

/** The centre (level-0 pixels) and scale at which a box fills a view, turned as it is, but for its margins. */
export function framing(box: Box, view: Frame, margins: Margins): { centre: Point; scale: number } {
  const { width, height } = extent(box, view);
  const room = roomOf(view, margins);
  const scale = Math.min(room.width / width, room.height / height);
  return { centre: centring(box, view, margins, scale), scale };
}

/** The centre (level-0 pixels) at which the middle of a box lies in the middle of a view but for its margins. */
export function centring(box: Box, view: Frame, margins: Margins, scale: number): Point {
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const placed = new Frame(middle, scale, view.degrees, view.width, view.height);
  const aside = { x: (margins.right - margins.left) / 2, y: (margins.bottom - margins.top) / 2 };
  return placed.toSlide({ x: view.width / 2 + aside.x, y: view.height / 2 + aside.y });
}

/** Width and height in level-0 pixels, along the axes of the slide, of what a view shows at a scale but for its margins. */
export function reach(view: Frame, margins: Margins, scale: number): { width: number; height: number } {
  const room = roomOf(view, margins);
  return extent({ x: 0, y: 0, width: room.width / scale, height: room.height / scale }, view);
}

function roomOf(view: Frame, margins: Margins): { width: number; height: number } {
  return {
    width: Math.max(view.width - margins.left - margins.right, view.width / 4),
    height: Math.max(view.height - margins.top - margins.bottom, view.height / 4),
  };
}

/** Width and height of the upright box around a box that is turned as a view is. */
function extent(box: Box, { degrees }: Frame): { width: number; height: number } {
  const turn = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
  return { width: box.width * cos + box.height * sin, height: box.width * sin + box.height * cos };
}
