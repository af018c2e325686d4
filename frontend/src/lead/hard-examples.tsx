import { useState } from "preact/hooks";
import type { HardExamplesAsked, Person } from "../api/types";
import { write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";
import { Choice } from "./choice";

const CONFIDENT = 0.9;

interface Properties {
  people: readonly Person[];
  onDone(): void;
  onClose(): void;
}

/** A review of cells that were labelled as no figure and that a search is sure of. */
export function HardExamples({ people, onDone, onClose }: Properties) {
  const [name, setName] = useState("hard examples");
  const [threshold, setThreshold] = useState(CONFIDENT);
  const [raters, setRaters] = useState<ReadonlySet<number>>(new Set());
  const submit = async (event: Event) => {
    event.preventDefault();
    const answer = await write<HardExamplesAsked>("POST", "/api/searches/hard-examples", { name: name.trim(), threshold, raters: [...raters] });
    if (!answer) return;
    say(
      answer.cells === 0
        ? `None of the ${answer.scored} labelled cells with a score is above ${threshold} and labelled as no figure; no review was opened.`
        : `${answer.cells} of ${answer.scored} labelled cells with a score are read again.`,
    );
    onDone();
  };
  return (
    <Dialog title="Hard examples" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <p class="soft">Cells that were labelled as no figure, but that the search of their slide is sure of, are read again by two experts, blinded.</p>
        <label class="field">
          <span>Name of the review</span>
          <input value={name} maxLength={150} required onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Score above which a cell is read again</span>
          <input type="number" min="0" max="1" step="0.01" required value={threshold} onInput={(event) => setThreshold(event.currentTarget.valueAsNumber)} />
        </label>
        <Choice legend="Raters" options={people} chosen={raters} onChange={setRaters} />
        <div class="actions">
          <button type="submit" class="primary" disabled={raters.size === 0 || name.trim() === "" || Number.isNaN(threshold)}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
