import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Properties<T> {
  items: readonly T[];
  /** CSS pixels of every row. */
  rowHeight: number;
  keyOf(item: T): string | number;
  row(item: T, at: number): ComponentChildren;
  /** The row to be kept in view. */
  current?: number;
  label: string;
}

/** Rows drawn beyond the edges, so that scrolling shows none empty. */
const SPARE = 6;

/** A list of any length, of which only the rows in view are there. */
export function VirtualList<T>({ items, rowHeight, keyOf, row, current = -1, label }: Properties<T>) {
  const element = useRef<HTMLDivElement>(null);
  const [span, setSpan] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const list = element.current;
    if (!list) return;
    const measure = () => setSpan({ top: list.scrollTop, height: list.clientHeight });
    const watcher = new ResizeObserver(measure);
    watcher.observe(list);
    list.addEventListener("scroll", measure, { passive: true });
    return () => {
      watcher.disconnect();
      list.removeEventListener("scroll", measure);
    };
  }, []);
  useLayoutEffect(() => {
    const list = element.current;
    if (!list || current < 0) return;
    const [top, bottom] = [current * rowHeight, (current + 1) * rowHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }, [current]);
  const first = Math.max(Math.floor(span.top / rowHeight) - SPARE, 0);
  const last = Math.min(Math.ceil((span.top + span.height) / rowHeight) + SPARE, items.length);
  return (
    <div ref={element} class="virtual" role="list" aria-label={label} tabIndex={0}>
      <div style={{ height: `${items.length * rowHeight}px` }}>
        {items.slice(first, last).map((item, at) => (
          <div
            key={keyOf(item)}
            class="virtual-row"
            role="listitem"
            aria-posinset={first + at + 1}
            aria-setsize={items.length}
            style={{ height: `${rowHeight}px`, transform: `translateY(${(first + at) * rowHeight}px)` }}
          >
            {row(item, first + at)}
          </div>
        ))}
      </div>
    </div>
  );
}
