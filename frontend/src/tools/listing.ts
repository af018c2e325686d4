import type { Cell } from "../viewer/cell-table";

export type Order = "place" | "class" | "score" | "rater";

/** What of the cells is listed, and in which order. */
export interface Question {
  /** Words of class, rater, number or comment; all must be found. */
  readonly text: string;
  /** Id of a class, 0 for none, null for all. */
  readonly label: number | null;
  readonly commented: boolean;
  readonly order: Order;
  readonly falling: boolean;
}

export const ALL: Question = { text: "", label: null, commented: false, order: "place", falling: false };

export interface Known {
  nameOf(label: number): string;
  commentsOn(cell: number): string;
}

/** The cells that a question is about, in its order. Places go from the top in bands, from left to right. */
export function listed(cells: Iterable<Cell>, question: Question, known: Known): Cell[] {
  const words = question.text.toLowerCase().split(/\s+/).filter(Boolean);
  const names = new Map<number, string>();
  const nameOf = (label: number): string => {
    const name = names.get(label) ?? known.nameOf(label).toLowerCase();
    names.set(label, name);
    return name;
  };
  const found: Cell[] = [];
  for (const cell of cells) {
    if (question.label !== null && cell.label !== question.label) continue;
    const comments = question.commented || words.length > 0 ? known.commentsOn(cell.id).toLowerCase() : "";
    if (question.commented && comments === "") continue;
    if (words.length > 0) {
      const all = `${nameOf(cell.label)} ${cell.rater?.toLowerCase() ?? ""} ${cell.id} ${comments}`;
      if (!words.every((word) => all.includes(word))) continue;
    }
    found.push(cell);
  }
  const compare = COMPARE[question.order];
  const sign = question.falling ? -1 : 1;
  return found.sort((one, other) => sign * compare(one, other, nameOf) || COMPARE.place(one, other, nameOf) || one.id - other.id);
}

const BAND_PX0 = 512;

const COMPARE: Record<Order, (one: Cell, other: Cell, nameOf: (label: number) => string) => number> = {
  place: (one, other) => Math.floor(one.y / BAND_PX0) - Math.floor(other.y / BAND_PX0) || one.x - other.x,
  class: (one, other, nameOf) => (one.label === other.label ? 0 : nameOf(one.label).localeCompare(nameOf(other.label), "en")),
  score: (one, other) => (one.score ?? -1) - (other.score ?? -1),
  rater: (one, other) => (one.rater ?? "").localeCompare(other.rater ?? "", "en"),
};
