import type { Frame, Point } from "./frame";

/** How two views lay when they were joined. */
export interface Joint {
  readonly leader: Frame;
  readonly follower: Frame;
}

/** Where the follower goes for the same movement on the screen: as far, as much larger, as much turned as the leader. */
export function following(now: Frame, { leader, follower }: Joint): { centre: Point; scale: number; degrees: number } {
  const turn = ((leader.degrees - follower.degrees) * Math.PI) / 180;
  const ratio = leader.scale / follower.scale;
  const [dx, dy] = [(now.centre.x - leader.centre.x) * ratio, (now.centre.y - leader.centre.y) * ratio];
  return {
    centre: {
      x: follower.centre.x + dx * Math.cos(turn) - dy * Math.sin(turn),
      y: follower.centre.y + dx * Math.sin(turn) + dy * Math.cos(turn),
    },
    scale: (now.scale / leader.scale) * follower.scale,
    degrees: follower.degrees + now.degrees - leader.degrees,
  };
}
