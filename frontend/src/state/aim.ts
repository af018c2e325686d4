/** A view that a link names: a level-0 pixel in the middle, CSS pixels for one, degrees clockwise. */
export interface AimedView {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
  readonly degrees: number;
}

/** What a link leads to on a slide. */
export type Aim = { readonly view: AimedView } | { readonly cell: number };

/** The parts of a route that say which slide it is about, in a round or for its regions; null where none is named. */
export function slidePart(route: readonly string[]): readonly string[] | null {
  if (route[0] === "round" && route[2] === "slide" && route.length >= 4) return route.slice(0, 4);
  if (route[0] === "regions" && route.length >= 2) return route.slice(0, 2);
  return null;
}

/** What a route aims at on its slide; null where it aims at nothing, or not well. */
export function aimOf(route: readonly string[]): Aim | null {
  const [kind, what] = route.slice(slidePart(route)?.length ?? route.length);
  if (kind === "cell" && what && /^\d{1,16}$/.test(what)) return { cell: Number(what) };
  if (kind !== "at" || !what) return null;
  const numbers = what.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  const [x, y, scale, degrees] = numbers;
  if (numbers.length !== 4 || !numbers.every(Number.isFinite) || scale! <= 0) return null;
  return { view: { x: x!, y: y!, scale: scale!, degrees: degrees! } };
}

/** A route to a view of a slide, as it stands behind the #. */
export function routeToView(slide: readonly string[], { x, y, scale, degrees }: AimedView): string {
  const turn = ((degrees % 360) + 360) % 360;
  return `/${slide.join("/")}/at/${x.toFixed(1)},${y.toFixed(1)},${Number(scale.toPrecision(5))},${Number(turn.toFixed(1))}`;
}

export function routeToCell(slide: readonly string[], cell: number): string {
  return `/${slide.join("/")}/cell/${cell}`;
}

/** The route to a slide that a page outside of the study names, e.g. `slide/A12/at/1200,800`; null where it names none, or several. */
export function routeToNamed(route: readonly string[], slides: readonly { readonly id: number; readonly name: string }[]): string | null {
  if (route[0] !== "slide" || !route[1]) return null;
  const wanted = decoded(route[1]);
  const named = slides.filter(({ name }) => name === wanted || name.replace(/\.[^.]+$/, "") === wanted);
  return named.length === 1 ? `/${["regions", String(named[0]!.id), ...route.slice(2)].join("/")}` : null;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
