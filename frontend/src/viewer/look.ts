import { effect, signal } from "@preact/signals";
import { densityTable, haematoxylinMatrix, lightTable } from "./stains";

/** How a viewer looks at slides; brightness and contrast are 0 and gamma is 1 where nothing is changed. */
export interface Look {
  /** In [-1, 1], added. */
  readonly brightness: number;
  /** In [-1, 1]. */
  readonly contrast: number;
  /** In [0.2, 5]; above 1 the middle becomes brighter. */
  readonly gamma: number;
  /** Only what haematoxylin absorbs. */
  readonly isHaematoxylin: boolean;
}

export const AS_IT_IS: Look = { brightness: 0, contrast: 0, gamma: 1, isHaematoxylin: false };
const KEY = "mitoscope.look";
const FILTER = "mitoscope-look";

function kept(): Look {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Look>;
    const number = (name: "brightness" | "contrast" | "gamma", low: number, high: number): number => {
      const value = found[name];
      return typeof value === "number" && value >= low && value <= high ? value : AS_IT_IS[name];
    };
    return {
      brightness: number("brightness", -1, 1),
      contrast: number("contrast", -1, 1),
      gamma: number("gamma", 0.2, 5),
      isHaematoxylin: found.isHaematoxylin === true,
    };
  } catch {
    return AS_IT_IS;
  }
}

/** Of this browser, for all slides; it is remembered. */
export const look = signal<Look>(kept());

export function isChanged({ brightness, contrast, gamma }: Look): boolean {
  return brightness !== 0 || contrast !== 0 || gamma !== 1;
}

/** What becomes of a value of light in [0, 1]. */
export function adjusted(value: number, { brightness, contrast, gamma }: Look): number {
  const steep = contrast >= 0 ? 1 / Math.max(1 - contrast, 0.05) : 1 + contrast;
  const spread = (value - 0.5) * steep + 0.5 + brightness;
  return Math.min(Math.max(spread, 0), 1) ** (1 / gamma);
}

/** The CSS filter of a look: none, or the one in the document. The browser draws it, on a graphics card where there is one. */
export function filterOf(now: Look): string {
  return isChanged(now) || now.isHaematoxylin ? `url(#${FILTER})` : "";
}

/** Whether this browser can show slides through such a filter. */
export const canFilter = typeof CSS !== "undefined" && CSS.supports("filter", "url(#a)");

const SVG = "http://www.w3.org/2000/svg";

function element(name: string, attributes: Record<string, string>, ...children: Element[]): Element {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function tables(values: readonly number[]): Element {
  const tableValues = values.map((value) => value.toFixed(4)).join(" ");
  const channels = ["feFuncR", "feFuncG", "feFuncB"].map((name) => element(name, { type: "table", tableValues }));
  return element("feComponentTransfer", {}, ...channels);
}

/** The steps of a look: light to density, haematoxylin alone, back to light; and the adjustment. */
function steps(now: Look): Element[] {
  const adjust = (values: readonly number[]) => values.map((value) => adjusted(value, now));
  if (!now.isHaematoxylin) return [tables(adjust(Array.from({ length: 256 }, (_, value) => value / 255)))];
  const rows = haematoxylinMatrix().map((row) => [...row, 0, 0].map((part) => part.toFixed(5)).join(" "));
  const values = [...rows, "0 0 0 1 0"].join(" ");
  return [tables(densityTable()), element("feColorMatrix", { type: "matrix", values }), tables(adjust(lightTable()))];
}

/** Keep the filter of the document, and what is remembered, as the look is. */
export function keepLook(): void {
  const filter = element("filter", { id: FILTER, x: "0", y: "0", width: "1", height: "1", "color-interpolation-filters": "sRGB" });
  document.body.append(element("svg", { width: "0", height: "0", class: "unseen", "aria-hidden": "true" }, filter));
  effect(() => {
    filter.replaceChildren(...steps(look.value));
    document.documentElement.dataset.look = filterOf(look.value) ? "changed" : "as it is"; // crops follow, by the style sheet
    localStorage.setItem(KEY, JSON.stringify(look.value));
  });
}
