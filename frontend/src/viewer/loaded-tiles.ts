import type { Point } from "./frame";

export interface Pyramid {
  readonly tileSize: number;
  /** The level of full size; level k is halved `maxLevel - k` times. */
  readonly maxLevel: number;
  readonly minLevel?: number;
}

interface Tile {
  readonly level: number;
  readonly x: number;
  readonly y: number;
  /** False again once its pixels were let go. */
  readonly loaded: boolean;
}

/** Which tiles of a picture are there, to tell what is sharp on the screen from what is blurred. */
export class LoadedTiles {
  private readonly tiles = new Map<string, Tile>();

  constructor(private readonly pyramid: Pyramid) {}

  add(tile: Tile): void {
    this.tiles.set(`${tile.level} ${tile.x} ${tile.y}`, tile);
  }

  /** Whether a level-0 pixel is shown as sharp as a view with `scale` CSS pixels for one level-0 pixel can show it. */
  isSharp(at: Point, scale: number): boolean {
    const { tileSize, maxLevel, minLevel = 0 } = this.pyramid;
    // A pixel of the level must be no larger than one of the view; beyond full size there is no more to show.
    const halvings = Math.floor(Math.log2(1 / scale) + 1e-6);
    const least = Math.min(Math.max(maxLevel - halvings, minLevel), maxLevel);
    for (let level = least; level <= maxLevel; level += 1) {
      const side = tileSize * 2 ** (maxLevel - level);
      if (this.tiles.get(`${level} ${Math.floor(at.x / side)} ${Math.floor(at.y / side)}`)?.loaded) return true;
    }
    return false;
  }
}
