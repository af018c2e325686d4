import { effect, useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { get } from "../api/request";
import type { Regions, Round } from "../api/types";
import { useCommands } from "../keys/commands";
import { labelName, studyLabels, sayError } from "../state/session";
import { Follow } from "../state/follow";
import type { History } from "../state/history";
import { Work } from "../state/work";
import { labelCommands } from "../ui/label-keys";
import { Panel, TurnBack } from "../ui/panel";
import { Comments } from "../state/comments";
import type { StageCells } from "../tools/stage-cells";
import { CellsLayer } from "../viewer/cells-layer";
import { pictureOf, type OpenSlide } from "../viewer/picture";
import { RegionsLayer } from "../viewer/regions-layer";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import type { MiniMapLayer } from "../viewer/mini-map";
import { CellClasses, Hint, useCells } from "./cell-classes";
import { EVERYTHING, Filters, passes, tally, type Filter } from "./filters";
import { LabelTool } from "./label-tool";
import { useDoubt } from "./too-small";

interface Properties {
  round: Round;
  slide: OpenSlide;
  /** Where more is done here than labelling, and can be taken back. */
  history?: History;
  /** Panels of the mode above the classes. */
  children?: ComponentChildren;
  mapLayers?: readonly MiniMapLayer[];
  onView?(view: SlideView): void | (() => void);
}

/** A slide with its cells: click, drag, keys, undo; the base of free labelling and of screening. */
export function SlideWork({ round, slide, history, children, mapLayers, onView }: Properties) {
  const work = useMemo(() => new Work(round.id, history), [round.id, slide.id]);
  const labels = useMemo(studyLabels, []);
  const picture = useMemo(() => pictureOf(slide), [slide.id]);
  const next = useSignal(labels[0]?.id ?? 0);
  const selected = useSignal<number | null>(null);
  const filter = useSignal<Filter>(EVERYTHING);
  const layer = useRef<CellsLayer | null>(null);
  const view = useRef<SlideView | null>(null);
  const { whenLargeEnough, question } = useDoubt(view);
  useEffect(() => {
    const follow = new Follow(work, round, slide.id);
    return () => follow.stop();
  }, [work]);

  const select = (cell: number | null) => {
    selected.value = cell;
    if (layer.current) layer.current.selected = cell;
    view.current?.redraw();
  };
  const selectedCell = () => (selected.value === null ? undefined : work.table.get(selected.value));
  const give = (label: number) => {
    const cell = selectedCell();
    if (cell && cell.label !== label) whenLargeEnough(cell, () => work.label(cell.id, label));
  };
  const choose = (label: number) => {
    if (selectedCell()) give(label);
    else next.value = label;
  };
  const remove = () => {
    const cell = selectedCell();
    if (cell) work.remove(cell.id);
    select(null);
  };
  work.onReturn = (cell) => {
    const row = work.table.get(cell);
    if (!row && selected.value === cell) select(null);
    const box = view.current?.frame.visible();
    const isInView = row && box && row.x > box.x && row.y > box.y && row.x < box.x + box.width && row.y < box.y + box.height;
    if (row && !isInView) view.current?.goTo(row);
  };
  useCommands("Cells", [
    ...labelCommands(labels, choose, "Class of the selected cell, else of the next click"),
    { keys: ["Alt+Drag", "Shift+Drag"], title: "Move a cell; else a drag pans", run: () => undefined },
    { keys: ["Delete", "Backspace"], title: "Delete the selected cell", run: remove },
    { keys: ["Escape"], title: "Select nothing", run: () => select(null) },
    { keys: ["Ctrl+Z"], title: "Undo", run: () => work.undo(), repeats: true },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], title: "Redo", run: () => work.redo(), repeats: true },
    { keys: ["x"], title: "Cells shown or hidden", run: () => (filter.value = { ...filter.value, showsCells: !filter.value.showsCells }) },
  ]);

  const stageCells = useMemo<StageCells>(
    () => ({ work, labels, comments: new Comments(work, round.id, slide.id), layer: () => layer.current, selected, select, isList: true }),
    [work],
  );
  const ready = (made: SlideView) => {
    const cells = new CellsLayer(work.table, picture, labels);
    const regions = new RegionsLayer();
    made.addLayer(regions);
    made.addLayer(cells);
    made.tool = new LabelTool(made, cells, work, { slide: slide.id, label: () => next.value, onSelect: select, whenLargeEnough });
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
        cells={stageCells}
        onReady={ready}
      >
        <SelectedHint work={work} selected={selected.value} next={labelName(next.value)} count={labels.length} />
      </Stage>
      <Panel label="Work">
        {children}
        <CellClasses
          table={work.table}
          labels={labels}
          next={next.value}
          selected={selected.value}
          onNext={(label) => (next.value = label)}
          onGive={give}
          onRemove={remove}
          onLeave={() => select(null)}
        />
        <TurnBack history={work.history} />
        <Counted work={work} filter={filter} labels={labels} />
      </Panel>
      {question}
    </div>
  );
}

function SelectedHint({ work, selected, next, count }: { work: Work; selected: number | null; next: string; count: number }) {
  useCells(work.table);
  return <Hint cell={selected === null ? undefined : work.table.get(selected)} next={next} count={count} />;
}

function Counted({ work, filter, labels }: { work: Work; filter: Parameters<typeof Filters>[0]["filter"]; labels: ReturnType<typeof studyLabels> }) {
  useCells(work.table);
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
