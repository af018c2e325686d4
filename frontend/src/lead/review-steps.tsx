import { useState } from "preact/hooks";
import type { Person, ThirdAsked } from "../api/types";
import { write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";
import { Choice } from "./choice";

interface Properties {
  name: string;
  people: readonly Person[];
  onDone(): void;
}

/** What follows on a review of candidates: a third expert where two disagree, then its conclusion. */
export function ReviewSteps({ name, people, onDone }: Properties) {
  const [asks, setAsks] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const path = `/api/reviews/${encodeURIComponent(name)}`;
  const third = async () => {
    const done = await write<ThirdAsked>("POST", `${path}/third`, { raters: [...chosen] });
    if (!done) return;
    say(`${done.cells} disputed candidates wait for the third expert.`);
    setAsks(false);
    onDone();
  };
  const conclude = async () => {
    if (await write("POST", `${path}/conclude`)) {
      say("Concluded: what was accepted is in the study.");
      onDone();
    }
  };
  return (
    <>
      <button type="button" onClick={() => setAsks(true)}>
        Third expert
      </button>
      <button type="button" onClick={() => void conclude()}>
        Conclude
      </button>
      {asks && (
        <Dialog title={`Third expert of ${name}`} onClose={() => setAsks(false)}>
          <div class="form">
            <Choice legend="Who decides where two disagree" options={people} chosen={chosen} onChange={setChosen} />
            <div class="actions">
              <button type="button" class="primary" disabled={chosen.size === 0} onClick={() => void third()}>
                Ask
              </button>
            </div>
          </div>
        </Dialog>
      )}
    </>
  );
}
