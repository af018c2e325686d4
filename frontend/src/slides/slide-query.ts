import type { ListedSlide, Round, RoundKind, Slide } from "../api/types";

/** A slide with how it stands, as far as that is known yet. */
export interface Standing {
  readonly slide: Slide;
  readonly tags: readonly string[];
  readonly labelled: number;
  readonly cells: number;
  readonly count: number | null;
}

export type Status = "any" | "ok" | "to do" | "counted" | "no resolution" | "absent";
export type SlideOrder = "name" | "to do" | "count" | "resolution";

/** Which slides are listed, in which order. */
export interface SlideQuery {
  /** Words of name, case or tag; all must be found. */
  readonly text: string;
  readonly tag: string;
  readonly status: Status;
  readonly order: SlideOrder;
}

export const EVERY_SLIDE: SlideQuery = { text: "", tag: "", status: "any", order: "name" };

export function standings(slides: readonly Slide[], listed: readonly ListedSlide[]): Standing[] {
  const by = new Map(listed.map((one) => [one.id, one]));
  return slides.map((slide) => {
    const { tags = [], labelled = 0, cells = 0, count = null } = by.get(slide.id) ?? {};
    return { slide, tags, labelled, cells, count };
  });
}

const HAS: Record<Status, (one: Standing) => boolean> = {
  any: () => true,
  ok: ({ slide }) => slide.state === "ok",
  "to do": ({ labelled, cells }) => labelled < cells,
  counted: ({ count }) => count !== null,
  "no resolution": ({ slide }) => slide.state === "unscaled" || (slide.state === "ok" && slide.mpp === null),
  absent: ({ slide }) => slide.state === "missing" || slide.state === "rejected",
};

/** "slide 2" before "slide 10". */
const NAMES = new Intl.Collator("en", { numeric: true });

const COMPARE: Record<SlideOrder, (one: Standing, other: Standing) => number> = {
  name: () => 0,
  "to do": (one, other) => other.cells - other.labelled - (one.cells - one.labelled),
  count: (one, other) => (other.count ?? -1) - (one.count ?? -1),
  resolution: (one, other) => (one.slide.mpp ?? Infinity) - (other.slide.mpp ?? Infinity),
};

/** The slides that a query is about, in its order. */
export function chosenSlides(all: readonly Standing[], { text, tag, status, order }: SlideQuery): Standing[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter((one) => {
    if (!HAS[status](one) || (tag !== "" && !one.tags.includes(tag))) return false;
    if (words.length === 0) return true;
    const said = `${one.slide.name} ${one.slide.case ?? ""} ${one.tags.join(" ")}`.toLowerCase();
    return words.every((word) => said.includes(word));
  });
  const compare = COMPARE[order];
  return found.sort((one, other) => compare(one, other) || NAMES.compare(one.slide.name, other.slide.name));
}

/** All tags in use, in order. */
export function tagsOf(all: readonly Standing[]): string[] {
  return [...new Set(all.flatMap((one) => one.tags))].sort(NAMES.compare);
}

/** The tags that somebody typed, joined by commas. */
export function typedTags(text: string): string[] {
  return [
    ...new Set(
      text
        .split(",")
        .map((one) => one.trim().replace(/\s+/g, " "))
        .filter(Boolean),
    ),
  ];
}

/** Work in which a slide is opened as a whole; a case comes first, because there it is searched and counted. */
const ON_SLIDES: readonly RoundKind[] = ["case review", "screening", "unstated"];

/** Where a slide is opened: in the round that is at work if it is one for slides, in another that is open, or for its regions. */
export function addressOfSlide(slide: number, rounds: readonly Round[], atWork?: Round): string {
  const here = atWork && ON_SLIDES.includes(atWork.kind) && atWork.slides.includes(slide) ? atWork : workOn(slide, rounds);
  return here ? `/round/${here.id}/slide/${slide}` : `/regions/${slide}`;
}

/** The open round in which a slide is opened from the list of all slides, if there is one. */
export function workOn(slide: number, rounds: readonly Round[]): Round | undefined {
  const open = rounds.filter((round) => round.is_open && round.slides.includes(slide));
  return ON_SLIDES.map((kind) => open.find((round) => round.kind === kind)).find((round) => round !== undefined);
}
