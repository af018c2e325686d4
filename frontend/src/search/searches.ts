import { signal } from "@preact/signals";
import { get } from "../api/request";
import type { QueueChanged, Searches, SlideSearch } from "../api/types";
import { sayError, write } from "../state/session";

const EVERY_MS = 1500;

/** The models and the queue of the server; null until they were asked for. */
export const searches = signal<Searches | null>(null);

export function isActive({ state }: Pick<SlideSearch, "state">): boolean {
  return state === "running" || state === "waiting";
}

export function searchOf(slide: number): SlideSearch | null {
  return searches.value?.searches.find((one) => one.slide === slide) ?? null;
}

async function load(): Promise<void> {
  searches.value = await get<Searches>("/api/searches");
}

/** Ask for the queue now, and again and again while something waits or runs; the answer ends it. */
export function watchSearches(): () => void {
  let timer = 0;
  let isOver = false;
  const again = async () => {
    try {
      if (!document.hidden) await load();
    } catch (error) {
      if (searches.value === null) sayError(error); // else the line notice says that the server is away
    }
    if (!isOver) timer = window.setTimeout(() => void again(), EVERY_MS);
  };
  void again();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

export async function startSearch(slides: readonly number[], model: string, point: string | null): Promise<boolean> {
  return take(await write<QueueChanged>("POST", "/api/searches", { slides, model, point }));
}

export async function changeSearch(slides: readonly number[], change: "pause" | "resume" | "cancel"): Promise<boolean> {
  return take(await write<QueueChanged>("PUT", "/api/searches", { slides, change }));
}

function take(answer: QueueChanged | null): boolean {
  if (answer && searches.value) searches.value = { ...searches.value, searches: answer.searches };
  return answer !== null;
}
