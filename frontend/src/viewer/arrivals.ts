import { signal } from "@preact/signals";
import type OpenSeadragon from "openseadragon";
import type { Point } from "./frame";
import { LoadedTiles, type Pyramid } from "./loaded-tiles";

const ASK_AGAIN_MS = 3000;
const LOOK_UP_MS = 300;

/** Why parts of a picture are not there: as the server says it, or that it does not answer. */
export interface Trouble {
  readonly what: string;
  readonly mend: string | null;
  /** Whether it may pass: the parts are asked for again. */
  readonly mayPass: boolean;
}

/** Says why a tile could not be had; null where it can be had now. */
export type WhyNot = (url: string) => Promise<Trouble | null>;

/** The tiles of a view as they come, and those that do not: they are asked for until they do. */
export class Arrivals {
  /** Why parts are blurred and stay so for now; null where nothing is amiss. */
  readonly trouble = signal<Trouble | null>(null);
  private readonly loaded: LoadedTiles;
  private readonly failed = new Set<OpenSeadragon.Tile>();
  private isAsking = false;
  private isOver = false;
  private timer = 0;

  constructor(
    private readonly viewer: OpenSeadragon.Viewer,
    pyramid: Pyramid,
    private readonly whyNot: WhyNot,
  ) {
    this.loaded = new LoadedTiles(pyramid);
    viewer.addHandler("tile-loaded", ({ tile }) => this.loaded.add(tile));
    viewer.addHandler("tile-load-failed", ({ tile }) => void this.failedToCome(tile));
  }

  stop(): void {
    this.isOver = true;
    window.clearTimeout(this.timer);
  }

  /** Whether the pixels of a place are there, as sharp as a view with `scale` CSS pixels for one level-0 pixel can show them. */
  isSharp(at: Point, scale: number): boolean {
    return this.loaded.isSharp(at, scale);
  }

  /** Ask once for all that failed together why; what may pass is asked for again. */
  private async failedToCome(tile: OpenSeadragon.Tile): Promise<void> {
    this.failed.add(tile);
    if (this.isAsking) return;
    this.isAsking = true;
    const trouble = await this.whyNot(tile.getUrl());
    this.isAsking = false;
    if (this.isOver) return;
    this.trouble.value = trouble;
    if (trouble?.mayPass === false) this.failed.delete(tile);
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.askAgain(), ASK_AGAIN_MS);
  }

  private askAgain(): void {
    if (this.failed.size === 0) return;
    for (const tile of this.failed) tile.exists = true;
    this.failed.clear(); // those that are still in view come now, or fail again
    // Where all others are there the viewer takes itself for done, and looks for no tile until it is moved.
    Object.assign(this.viewer.world.getItemAt(0), { _needsUpdate: true });
    this.viewer.forceRedraw();
    this.timer = window.setTimeout(() => this.lookUp(), LOOK_UP_MS);
  }

  /** The trouble is over once all that is in view has come. */
  private lookUp(): void {
    if (this.failed.size > 0) return;
    if (this.viewer.world.getItemAt(0).getFullyLoaded()) this.trouble.value = null;
    else this.timer = window.setTimeout(() => this.lookUp(), LOOK_UP_MS);
  }
}
