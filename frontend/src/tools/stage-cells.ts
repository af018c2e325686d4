import type { ReadonlySignal } from "@preact/signals";
import type { ClassLabel } from "../api/types";
import type { Comments } from "../state/comments";
import type { Work } from "../state/work";
import type { CellsLayer } from "../viewer/cells-layer";

/** The cells on a stage, as the rater may see them: what tools show of them comes from nowhere else. */
export interface StageCells {
  readonly work: Work;
  readonly labels: readonly ClassLabel[];
  readonly comments: Comments;
  /** The layer that draws them, once it is there: it knows which are shown. */
  layer(): CellsLayer | null;
  readonly selected: ReadonlySignal<number | null>;
  select(cell: number): void;
  /** Whether they may be gone through in any order: not where they come one by one. */
  readonly isList: boolean;
}
