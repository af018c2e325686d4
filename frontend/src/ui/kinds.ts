import { Grid2x2, Handshake, ListChecks, Microscope, ScanSearch, PenLine, SquareCheck, SquareDashed, UserCheck, Users, type IconNode } from "lucide";
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

/** And how they are shown. */
export const KIND_ICONS: Record<RoundKind, IconNode> = {
  screening: ScanSearch,
  "second read": Users,
  consensus: Handshake,
  "third expert": UserCheck,
  "candidate review": ListChecks,
  "board review": Grid2x2,
  "crowd boxes": SquareDashed,
  "crowd tiles": SquareCheck,
  "case review": Microscope,
  unstated: PenLine,
};
