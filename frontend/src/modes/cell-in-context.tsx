import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { get } from "../api/request";
import type { CellColumns, CellRecord, ClassLabel } from "../api/types";
import { Comments } from "../state/comments";
import { sayError, slideOf } from "../state/session";
import type { StageCells } from "../tools/stage-cells";
import { Empty } from "../ui/panel";
import { say } from "../ui/toast";
import { CellTable, NO_LABEL } from "../viewer/cell-table";
import { CellsLayer } from "../viewer/cells-layer";
import { cropUrl, isOpenSlide, pictureOf } from "../viewer/picture";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import { AddTool } from "./add-tool";
import { CROP_PX0, type Queue } from "./queue";
import { useDoubt } from "./too-small";

interface Properties {
  cell: CellRecord;
  queue: Queue;
  labels: readonly ClassLabel[];
  /** The class of cells that a click adds; null where none is added. */
  adds?: number | null;
}

/** So far around a cell those that are known are shown while cells are added, level-0 px. */
const AROUND_PX0 = 4000;

/** One cell in the middle of its surroundings, and its crop, which is there at once. */
export function CellInContext({ cell, queue, labels, adds = null }: Properties) {
  const slide = slideOf(cell.slide);
  const isOpen = isOpenSlide(slide);
  const picture = useMemo(() => (isOpen ? pictureOf(slide) : null), [cell.slide, isOpen]);
  const view = useRef<SlideView | null>(null);
  const { whenLargeEnough, question } = useDoubt(view);
  const layer = useRef<CellsLayer | null>(null);
  const shown = useRef(cell);
  shown.current = cell;
  const selected = useSignal<number | null>(null);
  selected.value = cell.cell;
  const stageCells = useMemo<StageCells>(() => {
    const comments = new Comments(queue.work, queue.round.id, cell.slide);
    return { work: queue.work, labels, comments, layer: () => layer.current, selected, select: () => undefined, isList: false };
  }, [queue, cell.slide]);
  const place = (now: boolean) => {
    if (layer.current) layer.current.selected = shown.current.cell;
    view.current?.goTo(shown.current, picture?.mpp ? { magnification: 40, now } : { scale: 1, now });
    view.current?.redraw();
  };
  useEffect(() => place(true), [cell.cell]);
  const near = useMemo(() => new CellTable(), [cell.slide]);
  const isAdding = adds !== null;
  useEffect(() => {
    if (!isAdding) return;
    const [x, y] = [Math.max(cell.x - AROUND_PX0, 0), Math.max(cell.y - AROUND_PX0, 0)];
    const path = `/api/rounds/${queue.round.id}/slides/${cell.slide}/cells?box=${x},${y},${2 * AROUND_PX0},${2 * AROUND_PX0}`;
    get<CellColumns>(path).then((found) => {
      found.cell.forEach((id, at) => near.put({ id, x: found.x[at]!, y: found.y[at]!, label: NO_LABEL, score: null, own: false, rater: null }));
      view.current?.redraw();
    }, sayError);
  }, [isAdding, cell.cell]);
  useEffect(() => {
    const made = view.current;
    if (!made || adds === null) return;
    const tool = new AddTool(made, {
      known: [near, queue.work.table],
      onAdd: (at) => whenLargeEnough(at, () => queue.add(cell.slide, at, adds)),
      onKnown: () => say("A cell is known here; it comes up by itself."),
    });
    const others = new CellsLayer(near, made.picture, labels);
    others.show((one) => one.id !== shown.current.cell);
    const takeOff = made.addLayer(others);
    made.tool = tool;
    made.redraw();
    return () => {
      takeOff();
      made.tool = null;
      made.redraw();
    };
  }, [adds, cell.cell]);
  if (!picture || !slide) {
    return <Empty title="The slide of this cell cannot be shown.">{slide?.reason && <p>{slide.reason}</p>}</Empty>;
  }
  const ready = (made: SlideView) => {
    const cells = new CellsLayer(queue.work.table, picture, labels);
    cells.show((one) => one.id === shown.current.cell || queue.isAdded(one.id, shown.current.slide));
    made.addLayer(cells);
    [view.current, layer.current] = [made, cells];
    const unwatch = queue.work.table.watch(() => made.redraw());
    place(true);
    return () => {
      unwatch();
      view.current = null;
    };
  };
  return (
    <Stage picture={picture} name={slide.name} thumbnail={`/api/slides/${slide.id}/thumbnail.jpg?size=512`} cells={stageCells} onReady={ready}>
      <img class="closeup" src={cropUrl(cell.slide, cell.x, cell.y, CROP_PX0)} width={256} height={256} alt="The cell, enlarged" />
      {question}
    </Stage>
  );
}
