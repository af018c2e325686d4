import { effect, signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useRef } from "preact/hooks";

/** How far the panel is drawn up on a phone. */
export type Height = "low" | "half" | "high";

const HEIGHTS: readonly Height[] = ["low", "half", "high"];
/** Shares of the place that it stands in, as in work.css. */
const SHARES: Readonly<Record<Height, number>> = { low: 0.13, half: 0.42, high: 0.86 };
const KEY = "mitoscope.sheet";
/** CSS pixels below which a press is a tap. */
const TREMBLE = 6;

const kept = localStorage.getItem(KEY);
export const sheet = signal<Height>(HEIGHTS.find((one) => one === kept) ?? "half");

effect(() => localStorage.setItem(KEY, sheet.value));

/** The height that is nearest to a share of the whole. */
export function nearest(share: number): Height {
  return HEIGHTS.reduce((best, one) => (Math.abs(SHARES[one] - share) < Math.abs(SHARES[best] - share) ? one : best));
}

/** What a tap makes of a height: a folded sheet comes up, any other is folded. */
export function tapped(height: Height): Height {
  return height === "low" ? "half" : "low";
}

/** By which the sheet is dragged or, by a tap, folded and unfolded. */
export function Grip({ of }: { of: RefObject<HTMLElement | null> }) {
  const drag = useRef<{ y: number; height: number; isMoved: boolean } | null>(null);
  const onDown = (event: PointerEvent) => {
    if (!of.current) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    drag.current = { y: event.clientY, height: of.current.clientHeight, isMoved: false };
  };
  const onMove = (event: PointerEvent) => {
    const { current: now } = drag;
    if (!now || !of.current) return;
    now.isMoved ||= Math.abs(event.clientY - now.y) > TREMBLE;
    if (now.isMoved) of.current.style.height = `${now.height + now.y - event.clientY}px`;
  };
  const onUp = () => {
    const { current: panel } = of;
    if (panel && drag.current?.isMoved) {
      sheet.value = nearest(panel.clientHeight / (panel.parentElement?.clientHeight || 1));
    }
    if (panel) panel.style.height = "";
  };
  const onClick = () => {
    if (!drag.current?.isMoved) sheet.value = tapped(sheet.value);
    drag.current = null;
  };
  return (
    <button
      type="button"
      class="grip"
      aria-label="Panel"
      aria-expanded={sheet.value !== "low"}
      onPointerDown={onDown}
      onPointerMove={onMove}
      onPointerUp={onUp}
      onPointerCancel={onUp}
      onClick={onClick}
      onKeyDown={(event) => {
        const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        sheet.value = HEIGHTS[Math.min(Math.max(HEIGHTS.indexOf(sheet.value) + by, 0), 2)] ?? "half";
      }}
    />
  );
}
