import type { Cell } from "../../viewer/cell-table";

export type Order = "score" | "place";

/** Candidates in the order in which they are looked at: high scores first, what was added by hand before them. */
export function ordered(cells: readonly Cell[], order: Order): Cell[] {
  const byScore = (one: Cell, two: Cell) => (two.score ?? 2) - (one.score ?? 2) || one.id - two.id;
  return order === "score" ? [...cells].sort(byScore) : byPlace(cells);
}

/** In rows from the upper left, to and fro, so that the next one is near. */
function byPlace(cells: readonly Cell[]): Cell[] {
  if (cells.length === 0) return [];
  const top = Math.min(...cells.map((cell) => cell.y));
  const bottom = Math.max(...cells.map((cell) => cell.y));
  const rows = Math.max(1, Math.round(Math.sqrt(cells.length)));
  const rowOf = (cell: Cell) => Math.min(rows - 1, Math.floor(((cell.y - top) / Math.max(bottom - top, 1)) * rows));
  return [...cells].sort((one, two) => {
    const row = rowOf(one);
    return row - rowOf(two) || (row % 2 === 0 ? one.x - two.x : two.x - one.x) || one.y - two.y;
  });
}

/** The one that comes after (or before) another, around the end; of none the first. */
export function stepFrom(cells: readonly Cell[], from: number | null, by: 1 | -1): Cell | undefined {
  const at = cells.findIndex((cell) => cell.id === from);
  return at < 0 ? cells[0] : cells[(at + by + cells.length) % cells.length];
}
