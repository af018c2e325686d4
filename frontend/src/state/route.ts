import { signal } from "@preact/signals";

/** Where the page is: the parts of the hash, e.g. `#/round/3/slide/1` → round, 3, slide, 1. */
export const route = signal<readonly string[]>(parse());

function parse(): string[] {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
}

window.addEventListener("hashchange", () => {
  route.value = parse();
});

export function go(path: string): void {
  location.hash = path;
}

/** A place that is a part of the address, in level-0 pixels: of `#/regions/1/at/1200,800` 1200 and 800; empty without one. */
export function placeOf(parts: readonly string[]): number[] {
  const at = parts.indexOf("at");
  const place = at < 0 ? [] : (parts[at + 1] ?? "").split(",").map(Number);
  return place.length === 2 && place.every(Number.isFinite) ? place : [];
}
