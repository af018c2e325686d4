import { useEffect, useRef, useState } from "preact/hooks";
import type { Counted, Result } from "../api/types";
import { me } from "../state/session";
import { Dialog } from "../ui/dialog";
import { Section } from "../ui/panel";
import { formatMm2 } from "../viewer/area";

/** What a signature states beside the count. */
export interface Stated {
  comment: string;
  not_looked_at: number;
  is_not_searched: boolean;
  replaces: number | null;
}

interface Properties {
  /** Null where no count can be given. */
  counted: Counted | null;
  windowName: string | null;
  isSearched: boolean;
  results: readonly Result[];
  /** Have all on disk, and return the count as it is then. */
  onAsk(): Promise<Counted | null>;
  onSign(stated: Stated): Promise<boolean>;
}

/** Signs the count, and lists what was signed with its report. */
export function Signature({ counted, windowName, isSearched, results, onAsk, onSign }: Properties) {
  const [asked, setAsked] = useState<Counted | null>(null);
  const [isBusy, setBusy] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  const isSigning = useRef(false);
  useEffect(() => {
    if (isSigning.current) list.current?.scrollIntoView({ block: "nearest" });
    isSigning.current = false;
  }, [results.length]);
  const sign = (stated: Stated) => {
    isSigning.current = true;
    return onSign(stated);
  };
  const ask = async () => {
    setBusy(true);
    setAsked(await onAsk());
    setBusy(false);
  };
  return (
    <Section title="Signature">
      <button type="button" class="primary" disabled={counted === null || isBusy} onClick={() => void ask()}>
        Sign {counted?.count ?? ""} …
      </button>
      {results.length === 0 && <p class="soft">Nothing is signed yet.</p>}
      <ul ref={list} class="list">
        {results.map((result) => (
          <Signed key={result.id} result={result} by={results.find((one) => one.id === result.replaced_by)} />
        ))}
      </ul>
      {asked && <Ask counted={asked} windowName={windowName} isSearched={isSearched} results={results} onClose={() => setAsked(null)} onSign={sign} />}
    </Section>
  );
}

function Signed({ result, by }: { result: Result; by: Result | undefined }) {
  const isReplaced = result.replaced_by !== null;
  return (
    <li class={isReplaced ? "signed replaced" : "signed"}>
      <span>
        <b>{result.count}</b> in {formatMm2(result.area_mm2)} mm²{result.window_name && <bdi>, {result.window_name}</bdi>}
        <small>
          <bdi>{result.rater_name}</bdi>, {when(result.time_s)}
        </small>
        <small>
          {isReplaced ? `replaced by ${by ? `the count of ${by.count}` : "a later one"}` : result.replaces !== null ? "current, a correction" : "current"}
        </small>
      </span>
      <a href={result.report} target="_blank" rel="noreferrer">
        Report
      </a>
    </li>
  );
}

interface AskProperties {
  counted: Counted;
  windowName: string | null;
  isSearched: boolean;
  results: readonly Result[];
  onClose(): void;
  onSign(stated: Stated): Promise<boolean>;
}

function Ask({ counted, windowName, isSearched, results, onClose, onSign }: AskProperties) {
  const mine = results.filter((one) => one.replaced_by === null && one.rater_name === me.value?.rater.name);
  const { candidates, looked } = counted.looked_at;
  const unseen = candidates - looked;
  const [comment, setComment] = useState("");
  const [isUnseenMeant, setUnseenMeant] = useState(false);
  const [isUnsearchedMeant, setUnsearchedMeant] = useState(false);
  const [replaces, setReplaces] = useState<number | null>((mine.find((one) => one.window_name === (windowName ?? "")) ?? null)?.id ?? null);
  const isStated = (unseen === 0 || isUnseenMeant) && (isSearched || isUnsearchedMeant);
  const submit = async (event: Event) => {
    event.preventDefault();
    await onSign({ comment, not_looked_at: unseen, is_not_searched: !isSearched, replaces });
    onClose();
  };
  return (
    <Dialog title="Sign the mitotic count" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <p>
          <bdi>{me.value?.rater.name}</bdi> signs <b>{counted.count}</b> mitotic figures in {formatMm2(counted.area_mm2)} mm²
          {windowName && <bdi> ({windowName})</bdi>}, of which {formatMm2(counted.covered_mm2)} mm² count: the window as it lies now. {looked} of {candidates}{" "}
          candidates were looked at. For research use only.
        </p>
        {!isSearched && (
          <label class="check statement">
            <input type="checkbox" checked={isUnsearchedMeant} onChange={(event) => setUnsearchedMeant(event.currentTarget.checked)} />
            <span>
              <b>This slide was not searched.</b> I state that only figures that were marked by hand are counted.
            </span>
          </label>
        )}
        {unseen > 0 && (
          <label class="check statement">
            <input type="checkbox" checked={isUnseenMeant} onChange={(event) => setUnseenMeant(event.currentTarget.checked)} />
            <span>
              <b>{`${unseen} of ${candidates} candidates were not looked at.`}</b> I sign all the same; the result states it.
            </span>
          </label>
        )}
        {mine.length > 0 && (
          <label class="field">
            <span>This count</span>
            <select value={replaces ?? ""} onChange={(event) => setReplaces(event.currentTarget.value ? Number(event.currentTarget.value) : null)}>
              <option value="">stands beside what I have signed before</option>
              {mine.map((one) => (
                <option key={one.id} value={one.id}>
                  {`replaces my ${one.count} in ${formatMm2(one.area_mm2)} mm²${one.window_name ? `, ${one.window_name}` : ""}, ${when(one.time_s)}`}
                </option>
              ))}
            </select>
          </label>
        )}
        <label class="field">
          <span>Comment, if any</span>
          <textarea rows={3} maxLength={4000} value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!isStated}>
            Sign
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function when(time_s: number): string {
  return new Date(time_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
