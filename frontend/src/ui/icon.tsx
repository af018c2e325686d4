import type { IconNode } from "lucide";
import { h } from "preact";

const STROKES = { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" };

/** An icon of lucide, in the colour of the text; what it means stands beside it or in a label. */
export function Icon({ of, size = 18 }: { of: IconNode; size?: number }) {
  const parts = of.map(([tag, attributes]) => h(tag, attributes));
  return h("svg", { width: size, height: size, viewBox: "0 0 24 24", "aria-hidden": "true", class: "lucide", ...STROKES }, parts);
}
