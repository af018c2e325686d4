import { effect, useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { get } from "../api/request";
import type { Regions, Round } from "../api/types";
import { useCommands } from "../keys/commands";
import { studyLabels, sayError } from "../state/session";
import { Follow } from "../state/follow";
import { Work } from "../state/work";
import { LabelKeys, labelCommands } from "../ui/label-keys";
import { Panel, Section } from "../ui/panel";
import { CellsLayer } from "../viewer/cells-layer";
import { pictureOf, type OpenSlide } from "../viewer/picture";
import { RegionsLayer } from "../viewer/regions-layer";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import type { MiniMapLayer } from "../viewer/mini-map";
import { EVERYTHING, Filters, passes, tally, type Filter } from "./filters";
import { LabelTool } from "./label-tool";

interface Properties {
  round: Round;
  slide: OpenSlide;
  /** Panels of the mode above the classes. */
  children?: ComponentChildren;
  mapLayers?: readonly MiniMapLayer[];
  onView?(view: SlideView): void | (() => void);
}

/** A slide with its cells: click, drag, keys, undo; the base of free labelling and of screening. */
export function SlideWork({ round, slide, children, mapLayers, onView }: Properties) {
  const work = useMemo(() => new Work(round.id), [round.id, slide.id]);
  const labels = useMemo(studyLabels, []);
  const picture = useMemo(() => pictureOf(slide), [slide.id]);
  const current = useSignal(labels[0]?.id ?? 0);
  const selected = useSignal<number | null>(null);
  const filter = useSignal<Filter>(EVERYTHING);
  const layer = useRef<CellsLayer | null>(null);
  const view = useRef<SlideView | null>(null);
  useEffect(() => {
    const follow = new Follow(work, round, slide.id);
    return () => follow.stop();
  }, [work]);

  const select = (cell: number | null) => {
    selected.value = cell;
    if (layer.current) layer.current.selected = cell;
    view.current?.redraw();
  };
  const choose = (label: number) => {
    current.value = label;
    const cell = selected.value === null ? undefined : work.table.get(selected.value);
    if (cell && cell.label !== label) work.label(cell.id, label);
  };
  const remove = () => {
    if (selected.value !== null && work.table.get(selected.value)) work.remove(selected.value);
    select(null);
  };
  work.onReturn = (cell) => {
    const row = work.table.get(cell);
    select(row ? cell : null);
    const box = view.current?.frame.visible();
    const isInView = row && box && row.x > box.x && row.y > box.y && row.x < box.x + box.width && row.y < box.y + box.height;
    if (row && !isInView) view.current?.goTo(row);
  };
  useCommands("Cells", [
    ...labelCommands(labels, choose),
    { keys: ["Delete", "Backspace"], title: "Delete the selected cell", run: remove },
    { keys: ["Escape"], title: "Select nothing", run: () => select(null) },
    { keys: ["Ctrl+Z"], title: "Undo", run: () => work.undo(), repeats: true },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], title: "Redo", run: () => work.redo(), repeats: true },
    { keys: ["x"], title: "Cells shown or hidden", run: () => (filter.value = { ...filter.value, showsCells: !filter.value.showsCells }) },
  ]);

  const ready = (made: SlideView) => {
    const cells = new CellsLayer(work.table, picture, labels);
    const regions = new RegionsLayer();
    made.addLayer(regions);
    made.addLayer(cells);
    made.tool = new LabelTool(made, cells, work, { slide: slide.id, label: () => current.value, selected: () => selected.value, onSelect: select });
    [layer.current, view.current] = [cells, made];
    const unwatch = work.table.watch(() => made.redraw());
    const unfilter = effect(() => {
      const now = filter.value;
      cells.show((cell) => passes(now, cell));
      made.redraw();
    });
    loadRegions(slide.id, regions, made);
    const leave = onView?.(made);
    return () => {
      unwatch();
      unfilter();
      leave?.();
    };
  };
  return (
    <div class="work">
      <Stage
        picture={picture}
        name={slide.name}
        thumbnail={`/api/slides/${slide.id}/thumbnail.jpg?size=512`}
        {...(mapLayers ? { mapLayers } : {})}
        onReady={ready}
      />
      <Panel label="Work">
        {children}
        <Section title="Class of the next click">
          <LabelKeys labels={labels} current={current.value} onChoose={choose} legend="Class of the next click" />
        </Section>
        <CellActions work={work} onRemove={remove} hasSelection={selected.value !== null} />
        <Counted work={work} filter={filter} labels={labels} />
      </Panel>
    </div>
  );
}

function CellActions({ work, onRemove, hasSelection }: { work: Work; onRemove(): void; hasSelection: boolean }) {
  return (
    <div class="row">
      <button type="button" disabled={!work.canUndo.value} onClick={() => work.undo()}>
        Undo
      </button>
      <button type="button" disabled={!work.canRedo.value} onClick={() => work.redo()}>
        Redo
      </button>
      <button type="button" disabled={!hasSelection} onClick={onRemove}>
        Delete
      </button>
    </div>
  );
}

function Counted({ work, filter, labels }: { work: Work; filter: Parameters<typeof Filters>[0]["filter"]; labels: ReturnType<typeof studyLabels> }) {
  const [, again] = useState(0);
  useEffect(() => {
    let scheduled = 0;
    const unwatch = work.table.watch(() => {
      scheduled ||= window.setTimeout(() => {
        scheduled = 0;
        again((count) => count + 1);
      }, 120);
    });
    return () => {
      window.clearTimeout(scheduled);
      unwatch();
    };
  }, [work]);
  const counts = useRef({ version: -1, tally: tally(work.table) });
  if (counts.current.version !== work.table.version) {
    counts.current = { version: work.table.version, tally: tally(work.table) };
  }
  return <Filters filter={filter} labels={labels} counts={counts.current.tally} />;
}

export function loadRegions(slide: number, layer: RegionsLayer, view: SlideView): void {
  get<Regions>(`/api/slides/${slide}/regions`).then(({ regions }) => {
    layer.outlines = regions.map(({ kind, vertices }) => ({ kind, vertices: vertices.map(([x, y]) => ({ x, y })) }));
    view.redraw();
  }, sayError);
}
