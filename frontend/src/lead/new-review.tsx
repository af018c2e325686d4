import { useState } from "preact/hooks";
import type { Person, ReviewOpened } from "../api/types";
import { me, sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";
import { Choice } from "./choice";
import { scoresOf, thresholdOf } from "./scores";

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
  const [threshold, setThreshold] = useState<number | null>(null);
  const [raters, setRaters] = useState<ReadonlySet<number>>(new Set());
  const submit = async (event: Event) => {
    event.preventDefault();
    const body = {
      name,
      model: "detector",
      bins: 10,
      ...(threshold === null ? {} : { threshold }),
      raters: [...raters],
      csv,
      slide,
      ...(manifest === null ? {} : { manifest }),
    };
    const done = await write<ReviewOpened>("POST", "/api/reviews", body);
    if (!done) return;
    say(`${done.cells} candidates to review; ${done.below} below the threshold are not shown, ${done.known} were known before.`);
    onDone();
  };
  const read = (event: Event) => {
    const files = [...((event.currentTarget as HTMLInputElement).files ?? [])];
    const text = (suffix: string) => files.find((file) => file.name.endsWith(suffix))?.text() ?? null;
    Promise.all([text(".csv"), text(".json")]).then(([table, beside]) => {
      setCsv(table ?? "");
      setManifest(beside);
      setThreshold(null);
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
        {csv !== "" && <Floor csv={csv} manifest={manifest} threshold={threshold} onChange={setThreshold} />}
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

interface FloorProperties {
  csv: string;
  manifest: string | null;
  threshold: number | null;
  onChange(threshold: number | null): void;
}

/** Above which score candidates are put before the raters: the threshold of the search, unless the lead sets another. */
function Floor({ csv, manifest, threshold, onChange }: FloorProperties) {
  const scores = scoresOf(csv) ?? [];
  const stated = thresholdOf(csv, manifest);
  const floor = threshold ?? stated ?? 0;
  const shown = scores.filter((score) => score > floor).length;
  return (
    <div class="floor">
      <p>
        <b>{shown.toLocaleString("en")}</b> of {scores.length.toLocaleString("en")} candidates are shown; {(scores.length - shown).toLocaleString("en")} at or
        below {floor.toFixed(2)} are not. {stated === null ? "The files state no threshold." : `The search’s threshold is ${stated.toFixed(2)}.`}
      </p>
      <label class="field">
        <span>Only scores above</span>
        <input type="range" min={0} max={0.95} step={0.01} value={floor} onInput={(event) => onChange(event.currentTarget.valueAsNumber)} />
      </label>
      {threshold !== null && (
        <button type="button" class="plain" onClick={() => onChange(null)}>
          Back to the threshold of the search
        </button>
      )}
    </div>
  );
}
