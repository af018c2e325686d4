import { useState } from "preact/hooks";
import type { Person, ReviewOpened } from "../api/types";
import { me, sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";
import { Choice } from "./choice";

interface Properties {
  people: readonly Person[];
  onDone(): void;
  onClose(): void;
}

/** A review of what a model found: `mitoscope detect` writes the file. */
export function NewReview({ people, onDone, onClose }: Properties) {
  const [name, setName] = useState("");
  const [slide, setSlide] = useState(me.value?.slides[0]?.id ?? 0);
  const [csv, setCsv] = useState("");
  const [manifest, setManifest] = useState<string | null>(null);
  const [threshold, setThreshold] = useState(0);
  const [raters, setRaters] = useState<ReadonlySet<number>>(new Set());
  const submit = async (event: Event) => {
    event.preventDefault();
    const body = { name, model: "detector", bins: 10, threshold, raters: [...raters], csv, slide, ...(manifest === null ? {} : { manifest }) };
    const done = await write<ReviewOpened>("POST", "/api/reviews", body);
    if (!done) return;
    say(`${done.cells} candidates to review; ${done.known} were known before.`);
    onDone();
  };
  const read = (event: Event) => {
    const files = [...((event.currentTarget as HTMLInputElement).files ?? [])];
    const text = (suffix: string) => files.find((file) => file.name.endsWith(suffix))?.text() ?? null;
    Promise.all([text(".csv"), text(".json")]).then(([table, beside]) => {
      setCsv(table ?? "");
      setManifest(beside);
    }, sayError);
  };
  return (
    <Dialog title="Candidates from a file" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>Name of the review</span>
          <input value={name} maxLength={150} required onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Slide</span>
          <select value={slide} onChange={(event) => setSlide(Number(event.currentTarget.value))}>
            {me.value?.slides.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>CSV with x, y, score, and the JSON that “mitoscope detect” writes beside it: it states threshold and gaps</span>
          <input type="file" multiple accept=".csv,.json,text/csv,application/json" onChange={read} />
        </label>
        <label class="field">
          <span>Only scores above {threshold.toFixed(2)}</span>
          <input type="range" min={0} max={0.95} step={0.05} value={threshold} onInput={(event) => setThreshold(event.currentTarget.valueAsNumber)} />
        </label>
        <Choice legend="Raters" options={people} chosen={raters} onChange={setRaters} />
        <div class="actions">
          <button type="submit" class="primary" disabled={csv === "" || raters.size === 0 || name.trim() === ""}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
