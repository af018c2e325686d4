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
  const turn = (view.degrees * Math.PI) / 180;
  const [cos, sin] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
  const width = box.width * cos + box.height * sin;
  const height = box.width * sin + box.height * cos;
  const room = {
    width: Math.max(view.width - margins.left - margins.right, view.width / 4),
    height: Math.max(view.height - margins.top - margins.bottom, view.height / 4),
  };
  const scale = Math.min(room.width / width, room.height / height);
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const placed = new Frame(middle, scale, view.degrees, view.width, view.height);
  const aside = { x: (margins.right - margins.left) / 2, y: (margins.bottom - margins.top) / 2 };
  return { centre: placed.toSlide({ x: view.width / 2 + aside.x, y: view.height / 2 + aside.y }), scale };
}
