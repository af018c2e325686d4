import { useState } from "preact/hooks";
import type { Person } from "../api/types";
import { Dialog } from "../ui/dialog";
import { Choice } from "./choice";

interface Properties {
  name: string;
  raters: readonly number[];
  people: readonly Person[];
  onSave(raters: number[]): void;
  onClose(): void;
}

export function RatersOf({ name, raters, people, onSave, onClose }: Properties) {
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set(raters));
  return (
    <Dialog title={`Raters of ${name}`} onClose={onClose}>
      <div class="form">
        <Choice legend="Who works in this round" options={people} chosen={chosen} onChange={setChosen} />
        <div class="actions">
          <button type="button" class="primary" onClick={() => onSave([...chosen])}>
            Save
          </button>
        </div>
      </div>
    </Dialog>
  );
}
