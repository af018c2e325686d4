import type { ComponentChildren } from "preact";

/** Something wider than a phone, which scrolls in a box of its own; by keys too. */
export function Broad({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="broad" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
