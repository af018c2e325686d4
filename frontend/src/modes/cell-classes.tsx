import { useEffect, useState } from "preact/hooks";
import type { ClassLabel } from "../api/types";
import { LabelKeys } from "../ui/label-keys";
import { Section } from "../ui/panel";
import type { Cell, CellTable } from "../viewer/cell-table";

/** Draw the component again, a little later, when cells have changed. */
export function useCells(table: CellTable): number {
  const [, again] = useState(0);
  useEffect(() => {
    let scheduled = 0;
    const unwatch = table.watch(() => {
      scheduled ||= window.setTimeout(() => {
        scheduled = 0;
        again((count) => count + 1);
      }, 120);
    });
    return () => {
      window.clearTimeout(scheduled);
      unwatch();
    };
  }, [table]);
  return table.version;
}

interface Properties {
  table: CellTable;
  labels: readonly ClassLabel[];
  /** The class of the next click. */
  next: number;
  selected: number | null;
  onNext(label: number): void;
  onGive(label: number): void;
  onRemove(): void;
  onLeave(): void;
}

/** The class of the next click and that of the selected cell, apart; the caps stand where the keys act. */
export function CellClasses({ table, labels, next, selected, onNext, onGive, onRemove, onLeave }: Properties) {
  useCells(table);
  const cell = selected === null ? undefined : table.get(selected);
  return (
    <>
      <Section title="Next click">
        <LabelKeys labels={labels} current={next} onChoose={onNext} legend="Class of the next click" hasKeys={!cell} />
      </Section>
      <Section title="Selected cell">
        {cell ? (
          <>
            <LabelKeys labels={labels} current={cell.label} onChoose={onGive} legend="Class of the selected cell" />
            <div class="row">
              <button type="button" onClick={onRemove}>
                Delete <kbd>Del</kbd>
              </button>
              <button type="button" onClick={onLeave}>
                Leave <kbd>Esc</kbd>
              </button>
            </div>
          </>
        ) : (
          <p class="soft">None. Click a cell to select it.</p>
        )}
      </Section>
    </>
  );
}

/** What a click, a drag and the keys do now. */
export function Hint({ cell, next, count }: { cell: Cell | undefined; next: string; count: number }) {
  const keys = count > 1 ? `Keys 1–${Math.min(count, 9)}` : "Key 1";
  return (
    <p class="hint">
      {cell ? (
        <>
          <b>{keys}: class of the selected cell</b>
          <span>Alt-drag moves it</span>
          <span>Esc leaves it</span>
        </>
      ) : (
        <>
          <span>
            Click: new <b>{next}</b>
          </span>
          <span>{keys}: class of the next click</span>
        </>
      )}
    </p>
  );
}
