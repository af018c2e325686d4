import { useState } from "preact/hooks";
import type { Result } from "../api/types";
import { me } from "../state/session";
import { Dialog } from "../ui/dialog";
import { Section } from "../ui/panel";
import { formatMm2 } from "../viewer/area";

interface Properties {
  /** Null where no count can be given. */
  count: number | null;
  /** What it is counted over, in mm². */
  area: number;
  results: readonly Result[];
  onSign(comment: string): Promise<boolean>;
}

/** Signs the count, and lists what was signed with its report. */
export function Signature({ count, area, results, onSign }: Properties) {
  const [isAsking, setAsking] = useState(false);
  return (
    <Section title="Signature">
      <button type="button" class="primary" disabled={count === null} onClick={() => setAsking(true)}>
        Sign {count ?? ""} …
      </button>
      {results.length === 0 && <p class="soft">Nothing is signed yet.</p>}
      <ul class="list">
        {results.map((result) => (
          <li key={result.id} class="signed">
            <span>
              <b>{result.count}</b> in {formatMm2(result.area_mm2)} mm²
              <small>
                <bdi>{result.rater_name}</bdi>, {new Date(result.time_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}
              </small>
            </span>
            <a href={result.report} target="_blank" rel="noreferrer">
              Report
            </a>
          </li>
        ))}
      </ul>
      {isAsking && count !== null && <Ask count={count} area={area} onClose={() => setAsking(false)} onSign={onSign} />}
    </Section>
  );
}

function Ask({ count, area, onClose, onSign }: { count: number; area: number; onClose(): void; onSign: Properties["onSign"] }) {
  const [comment, setComment] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    await onSign(comment);
    onClose();
  };
  return (
    <Dialog title="Sign the mitotic count" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <p>
          <bdi>{me.value?.rater.name}</bdi> signs <b>{count}</b> mitotic figures in {formatMm2(area)} mm², the window as it lies now. For research use only.
        </p>
        <label class="field">
          <span>Comment, if any</span>
          <textarea rows={3} maxLength={4000} value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Sign
          </button>
        </div>
      </form>
    </Dialog>
  );
}
