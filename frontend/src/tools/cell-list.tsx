import { signal, useSignal } from "@preact/signals";
import { ArrowDownNarrowWide, ArrowUpNarrowWide, List, MessageSquare } from "lucide";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Glyph } from "../ui/glyph";
import { Icon } from "../ui/icon";
import { VirtualList } from "../ui/virtual-list";
import { NO_LABEL, type Cell } from "../viewer/cell-table";
import { NO_CLASS } from "../viewer/colours";
import type { SlideView } from "../viewer/slide-view";
import { ALL, listed, type Order, type Question } from "./listing";
import type { StageCells } from "./stage-cells";
import type { StageTool } from "./stage-tool";

const ROW = 46;
/** The list follows the cells so often at most. */
const PATIENCE_MS = 250;
const ORDERS: Record<Order, string> = { place: "place", class: "class", score: "score", rater: "rater" };

/** All cells that are shown, to search, sort and go to. */
export function cellListTool(view: SlideView, cells: StageCells): StageTool {
  const isOn = signal(false);
  const Dock = () => <CellList view={view} cells={cells} onClose={() => (isOn.value = false)} />;
  return { title: "List of cells", icon: List, key: "Shift+C", isOn, Dock };
}

/** Changes, at most every so often, when the cells or what is shown of them do. */
function useCellsState(view: SlideView, cells: StageCells): string {
  const state = () => `${cells.layer()?.state}`;
  const [now, setNow] = useState(state);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(state()), PATIENCE_MS);
    return () => window.clearInterval(timer);
  }, [view]);
  return now;
}

function CellList({ view, cells, onClose }: { view: SlideView; cells: StageCells; onClose(): void }) {
  const question = useSignal<Question>(ALL);
  const state = useCellsState(view, cells);
  const remarks = cells.comments.by.value;
  useEffect(() => void cells.comments.load(), []);
  const now = question.value;
  const orders = useMemo(() => new Map(cells.labels.map((label, at) => [label.id, at])), []);
  const nameOf = (label: number) => cells.labels[orders.get(label) ?? -1]?.name ?? "without class";
  const found = useMemo(() => {
    const layer = cells.layer();
    if (!layer) return [];
    const commentsOn = (cell: number) => (remarks.get(cell) ?? []).map((one) => one.text).join(" ");
    return listed(
      [...layer.table.all()].filter((cell) => layer.isShown(cell)),
      now,
      { nameOf, commentsOn },
    );
  }, [state, now, remarks]);
  const set = (change: Partial<Question>) => (question.value = { ...now, ...change });
  const at = found.findIndex((cell) => cell.id === cells.selected.value);
  const go = (cell: Cell) => {
    cells.select(cell.id);
    view.goTo(cell, { magnification: 40 });
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (by === undefined || event.target instanceof HTMLSelectElement) return;
    event.preventDefault();
    event.stopPropagation();
    const next = found[Math.min(Math.max(at + by, 0), found.length - 1)];
    if (next) go(next);
  };
  return (
    <aside class="dock" aria-label="List of cells" onKeyDown={onKey}>
      <header>
        <h3>
          {found.length.toLocaleString("en")} {found.length === 1 ? "cell" : "cells"}
        </h3>
        <button type="button" class="plain icon" aria-label="Close the list" onClick={onClose}>
          ✕
        </button>
      </header>
      <input
        type="search"
        placeholder="Class, rater, number or comment"
        aria-label="Search the cells"
        value={now.text}
        onInput={(event) => set({ text: event.currentTarget.value })}
      />
      <div class="row">
        <select
          class="small grow"
          aria-label="Class"
          value={now.label ?? ""}
          onChange={(event) => set({ label: event.currentTarget.value === "" ? null : Number(event.currentTarget.value) })}
        >
          <option value="">all classes</option>
          {cells.labels.map((label) => (
            <option key={label.id} value={label.id}>
              {label.name}
            </option>
          ))}
          <option value={NO_LABEL}>without class</option>
        </select>
        <select
          class="small"
          aria-label="Sort by"
          value={now.order}
          onChange={(event) => set({ order: event.currentTarget.value as Order, falling: event.currentTarget.value === "score" })}
        >
          {Object.entries(ORDERS).map(([order, name]) => (
            <option key={order} value={order}>
              {name}
            </option>
          ))}
        </select>
        <button
          type="button"
          class="plain icon"
          aria-label={now.falling ? "Falling" : "Rising"}
          title={now.falling ? "Falling" : "Rising"}
          onClick={() => set({ falling: !now.falling })}
        >
          <Icon of={now.falling ? ArrowDownNarrowWide : ArrowUpNarrowWide} size={16} />
        </button>
      </div>
      <label class="check">
        <input type="checkbox" checked={now.commented} onChange={() => set({ commented: !now.commented })} />
        with a comment
      </label>
      {found.length === 0 && <p class="soft">No cell that is shown fits. What is hidden under “Shown” is not listed.</p>}
      <VirtualList
        items={found}
        rowHeight={ROW}
        keyOf={(cell) => cell.id}
        current={at}
        label="Cells"
        row={(cell) => (
          <button type="button" class="plain cell-row" aria-current={cell.id === cells.selected.value} onClick={() => go(cell)}>
            {cell.label === NO_LABEL ? (
              <span class="glyph" />
            ) : (
              <Glyph order={orders.get(cell.label) ?? 0} colour={cells.labels[orders.get(cell.label) ?? 0]?.colour ?? NO_CLASS} />
            )}
            <span class="grow">
              <bdi class="clip">{nameOf(cell.label)}</bdi>
              <small class="clip">
                {remarks.get(cell.id)?.at(-1)?.text ?? `${Math.round(cell.x)}, ${Math.round(cell.y)}${cell.rater ? `, ${cell.rater}` : ""}`}
              </small>
            </span>
            {remarks.has(cell.id) && <Icon of={MessageSquare} size={14} />}
            {cell.score !== null && <span class="soft">{cell.score.toFixed(2)}</span>}
          </button>
        )}
      />
    </aside>
  );
}
