import type { Slide, SlideFacts } from "../api/types";

/** By which a slide is found in a list of hundreds; empty where it does not matter. */
export interface SlideFilter {
  readonly query: string;
  readonly candidates: "" | "with" | "without";
  readonly labels: "" | "with" | "without";
  readonly split: string;
}

export const NO_FILTER: SlideFilter = { query: "", candidates: "", labels: "", split: "" };
/** The split of a slide that no version has given one. */
export const NO_SPLIT = "none";

export interface ListedSlide {
  readonly id: number;
  readonly name: string;
  readonly about: string;
  readonly facts: SlideFacts | undefined;
}

export function listed(slides: readonly Slide[], facts: readonly SlideFacts[]): ListedSlide[] {
  const known = new Map(facts.map((one) => [one.id, one]));
  return slides.map((slide) => {
    const found = known.get(slide.id);
    const about = [slide.case ?? "", ...(found?.tags ?? []), found?.split ?? ""].filter((one) => one !== "");
    return { id: slide.id, name: slide.name, about: about.join(" · "), facts: found };
  });
}

export function isFiltered(filter: SlideFilter): boolean {
  return filter.query.trim() !== "" || filter.candidates !== "" || filter.labels !== "" || filter.split !== "";
}

/** The slides that have every word in name, case or tags, and are as asked. */
export function filtered(slides: readonly ListedSlide[], filter: SlideFilter): readonly ListedSlide[] {
  const words = filter.query.toLowerCase().split(/\s+/).filter(Boolean);
  return slides.filter((slide) => {
    const text = `${slide.name} ${slide.about}`.toLowerCase();
    return (
      words.every((word) => text.includes(word)) &&
      isAsked(filter.candidates, slide.facts?.has_candidates ?? false) &&
      isAsked(filter.labels, slide.facts?.is_labelled ?? false) &&
      (filter.split === "" || filter.split === (slide.facts?.split ?? NO_SPLIT))
    );
  });
}

function isAsked(asked: "" | "with" | "without", has: boolean): boolean {
  return asked === "" || (asked === "with") === has;
}

/** The choice after a click on a row; with Shift all rows from the last one clicked become as this one. */
export function clicked(
  chosen: ReadonlySet<number>,
  shown: readonly ListedSlide[],
  id: number,
  { last, isRange }: { last: number | null; isRange: boolean },
): ReadonlySet<number> {
  const next = new Set(chosen);
  const at = shown.findIndex((one) => one.id === id);
  const from = isRange ? shown.findIndex((one) => one.id === last) : -1;
  const rows = from < 0 ? shown.slice(at, at + 1) : shown.slice(Math.min(from, at), Math.max(from, at) + 1);
  const adds = !chosen.has(id);
  for (const row of rows) {
    if (adds) next.add(row.id);
    else next.delete(row.id);
  }
  return next;
}
