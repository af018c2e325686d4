import type { Signal } from "@preact/signals";
import type { IconNode } from "lucide";
import type { ComponentType } from "preact";

/** Something to look at a slide with, beside the work on it: on or off, by a button of the rail and a key. */
export interface StageTool {
  readonly title: string;
  readonly icon: IconNode;
  /** As in `keys/commands`. */
  readonly key: string;
  readonly isOn: Signal<boolean>;
  /** Why it cannot be used on this slide. */
  readonly refusal?: string | null;
  /** Of tools that take clicks and drags one is on at a time. */
  readonly takesPointer?: boolean;
  /** What it does at once, of a tool that is never on. */
  act?(): void;
  /** Its settings and what it says, while it is on. */
  readonly Face?: ComponentType;
  /** What stands beside the view while it is on. */
  readonly Dock?: ComponentType;
  /** What shares the view's place while it is on. */
  readonly Beside?: ComponentType;
  /** Called at the end of the view. */
  destroy?(): void;
}

/** Said where a length or an area is asked of a slide without resolution. */
export const NO_RESOLUTION = "Nobody has said how large a pixel of this slide is; serve it with --mpp.";
