import type { Point } from "./frame";

/** Where the pointer is, on the screen and on the slide. */
export interface Pointer {
  /** CSS pixels of the view. */
  readonly screen: Point;
  /** Level-0 pixels. */
  readonly slide: Point;
  readonly shift: boolean;
  readonly alt: boolean;
}

/** What clicks and drags do. Without `press`, or where it returns false, a drag pans. */
export interface Tool {
  /** Return true to take the drag that may follow. */
  press?(at: Pointer): boolean;
  drag?(at: Pointer): void;
  release?(at: Pointer): void;
  click?(at: Pointer): void;
  doubleClick?(at: Pointer): void;
  hover?(at: Pointer): void;
  /** A CSS cursor for what a press here would do. */
  cursor?(at: Pointer): string;
}
