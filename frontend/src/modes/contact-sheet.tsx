import { useEffect, useRef } from "preact/hooks";
import type { CellRecord } from "../api/types";
import { useCommands } from "../keys/commands";
import { cropUrl } from "../viewer/picture";
import { CROP_PX0, type Queue } from "./queue";

const SHOWN = 24;

interface Properties {
  queue: Queue;
  current: CellRecord;
  onChoose(cell: number): void;
}

/** Many crops of 128 px at once, as in MIDOG++; the framed one gets the class. */
export function ContactSheet({ queue, current, onChoose }: Properties) {
  const cells = queue.cells.value.slice(0, SHOWN);
  const list = useRef<HTMLUListElement>(null);
  const step = (by: number) => {
    const at = cells.findIndex((one) => one.cell === current.cell);
    const next = cells[Math.min(Math.max(at + by, 0), cells.length - 1)];
    if (next) onChoose(next.cell);
  };
  const columns = () => {
    const [first, ...rest] = [...(list.current?.children ?? [])] as HTMLElement[];
    const count = 1 + rest.filter((one) => one.offsetTop === first?.offsetTop).length;
    return Math.max(count, 1);
  };
  useCommands("Contact sheet", [
    { keys: ["ArrowLeft"], title: "Crop to the left", run: () => step(-1), repeats: true },
    { keys: ["ArrowRight"], title: "Crop to the right", run: () => step(1), repeats: true },
    { keys: ["ArrowUp"], title: "Crop above", run: () => step(-columns()), repeats: true },
    { keys: ["ArrowDown"], title: "Crop below", run: () => step(columns()), repeats: true },
  ]);
  useEffect(() => {
    list.current?.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  }, [current.cell]);
  return (
    <div class="sheet-view">
      <ul class="crops" ref={list} aria-label="Cells to label">
        {cells.map((cell) => (
          <li key={cell.cell}>
            <button type="button" aria-current={cell.cell === current.cell} aria-label="Cell" onClick={() => onChoose(cell.cell)}>
              <img src={cropUrl(cell.slide, cell.x, cell.y, CROP_PX0)} width={CROP_PX0} height={CROP_PX0} alt="" />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
