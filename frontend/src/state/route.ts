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
