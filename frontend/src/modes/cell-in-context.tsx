import { useEffect, useMemo, useRef } from "preact/hooks";
import type { CellRecord, ClassLabel } from "../api/types";
import { slideOf } from "../state/session";
import { Empty } from "../ui/panel";
import { CellsLayer } from "../viewer/cells-layer";
import { cropUrl, isOpenSlide, pictureOf } from "../viewer/picture";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import { CROP_PX0, type Queue } from "./queue";

interface Properties {
  cell: CellRecord;
  queue: Queue;
  labels: readonly ClassLabel[];
}

/** One cell in the middle of its surroundings, and its crop, which is there at once. */
export function CellInContext({ cell, queue, labels }: Properties) {
  const slide = slideOf(cell.slide);
  const isOpen = isOpenSlide(slide);
  const picture = useMemo(() => (isOpen ? pictureOf(slide) : null), [cell.slide, isOpen]);
  const view = useRef<SlideView | null>(null);
  const layer = useRef<CellsLayer | null>(null);
  const shown = useRef(cell);
  shown.current = cell;
  const place = (now: boolean) => {
    if (layer.current) layer.current.selected = shown.current.cell;
    view.current?.goTo(shown.current, picture?.mpp ? { magnification: 40, now } : { scale: 1, now });
    view.current?.redraw();
  };
  useEffect(() => place(true), [cell.cell]);
  if (!picture || !slide) {
    return <Empty title="The slide of this cell cannot be shown.">{slide?.reason && <p>{slide.reason}</p>}</Empty>;
  }
  const ready = (made: SlideView) => {
    const cells = new CellsLayer(queue.work.table, picture, labels);
    cells.show((one) => one.id === shown.current.cell);
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
    <Stage
      picture={picture}
      name={slide.name}
      thumbnail={`/api/slides/${slide.id}/thumbnail.jpg?size=512`}
      onReady={ready}
    >
      <img class="closeup" src={cropUrl(cell.slide, cell.x, cell.y, CROP_PX0)} width={256} height={256} alt="The cell, enlarged" />
    </Stage>
  );
}
