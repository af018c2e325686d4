import type { RoundKind } from "../api/types";

/** Kinds of rounds as they are called on the page. */
export const KIND_WORDS: Record<RoundKind, string> = {
  screening: "Screening",
  "second read": "Second read",
  consensus: "Consensus",
  "third expert": "Third expert",
  "candidate review": "Candidate review",
  "board review": "Board",
  "crowd boxes": "Boxes on tiles",
  "crowd tiles": "Yes or no for tiles",
  "case review": "Case",
  unstated: "Free labelling",
};
