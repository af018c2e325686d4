import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { Version, VersionDifference, VersionFrozen, Versions as VersionsAnswer } from "../api/types";
import { sayError, write } from "../state/session";
import { Broad } from "../ui/broad";
import { Dialog } from "../ui/dialog";
import { Empty } from "../ui/panel";
import { say } from "../ui/toast";

/** Frozen versions of the data set, and what lies between two of them. */
export function VersionList() {
  const [versions, setVersions] = useState<readonly Version[] | null>(null);
  const [isOpen, setOpen] = useState(false);
  const load = () => void get<VersionsAnswer>("/api/versions").then((answer) => setVersions(answer.versions), sayError);
  useEffect(load, []);
  if (versions === null) return null;
  const classes = [...new Set(versions.flatMap((version) => Object.keys(version.cells)))];
  return (
    <>
      <div class="bar apart">
        <h2>Versions</h2>
        <span class="grow" />
        <button type="button" onClick={() => setOpen(true)}>
          Freeze a version …
        </button>
      </div>
      {versions.length === 0 ? (
        <Empty title="No version is frozen yet.">
          <p>A frozen version never changes: train and evaluate on it, cite its hash.</p>
        </Empty>
      ) : (
        <Broad label="Versions">
          <table>
            <thead>
              <tr>
                <th scope="col">Version</th>
                <th scope="col">Frozen</th>
                <th scope="col" class="number">
                  Slides
                </th>
                {classes.map((name) => (
                  <th key={name} scope="col" class="number">
                    {name}
                  </th>
                ))}
                <th scope="col">SHA-256</th>
                <th scope="col">Note</th>
              </tr>
            </thead>
            <tbody>
              {versions.map((version) => (
                <tr key={version.name}>
                  <th scope="row">
                    <bdi>{version.name}</bdi>
                  </th>
                  <td class="steady">{version.frozen.slice(0, 16).replace("T", " ")}</td>
                  <td class="number">{version.slides}</td>
                  {classes.map((name) => (
                    <td key={name} class="number">
                      {(version.cells[name] ?? 0).toLocaleString("en")}
                    </td>
                  ))}
                  <td class="mono" title={version.sha256}>
                    {version.sha256.slice(0, 12)}
                  </td>
                  <td>
                    <bdi>{version.note}</bdi>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Broad>
      )}
      {versions.length > 1 && <Between versions={versions} />}
      {isOpen && (
        <Freeze
          onDone={() => {
            setOpen(false);
            load();
          }}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}

function Between({ versions }: { versions: readonly Version[] }) {
  const names = versions.map((version) => `${version.variant}@${version.number}`);
  const [before, setBefore] = useState(names.at(-2)!);
  const [after, setAfter] = useState(names.at(-1)!);
  const [found, setFound] = useState<VersionDifference | null>(null);
  useEffect(() => {
    const query = new URLSearchParams({ before, after });
    get<VersionDifference>(`/api/versions/difference?${query}`).then(setFound, sayError);
  }, [before, after]);
  const choice = (label: string, value: string, set: (name: string) => void) => (
    <select class="small" value={value} aria-label={label} onChange={(event) => set(event.currentTarget.value)}>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
  const rows = found
    ? [
        ...Object.entries(found.gained).map(([name, count]) => ["gained", name, count] as const),
        ...Object.entries(found.lost).map(([name, count]) => ["lost", name, count] as const),
        ...Object.entries(found.reclassed).map(([name, count]) => ["another class", name, count] as const),
        ...(found.moved > 0 ? [["moved", "", found.moved] as const] : []),
      ]
    : [];
  return (
    <>
      <div class="bar apart">
        <h2>Differences</h2>
        {choice("Version before", before, setBefore)}
        <span>to</span>
        {choice("Version after", after, setAfter)}
      </div>
      {found && rows.length === 0 && <p class="soft">Nothing differs.</p>}
      {rows.length > 0 && (
        <table>
          <tbody>
            {rows.map(([what, name, count]) => (
              <tr key={`${what} ${name}`}>
                <th scope="row">{what}</th>
                <td>{name}</td>
                <td class="number">{count.toLocaleString("en")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Freeze({ onDone, onClose }: { onDone(): void; onClose(): void }) {
  const [variant, setVariant] = useState("MEL");
  const [note, setNote] = useState("");
  const [licence, setLicence] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    const body = { variant, note, ...(licence.trim() ? { licence: licence.trim() } : {}) };
    const done = await write<VersionFrozen>("POST", "/api/versions", body);
    if (!done) return;
    say(`${done.version.name} is frozen; its hash begins with ${done.version.sha256.slice(0, 12)}.`);
    onDone();
  };
  return (
    <Dialog title="Freeze a version" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <p class="soft">Cells, agreed classes and places as they are now. Nothing can change it; work on the study goes on.</p>
        <label class="field">
          <span>Name, e.g. MEL, ODAEL, CODAEL; a second one of a name gets number 2</span>
          <input value={variant} maxLength={60} required onInput={(event) => setVariant(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Licence of the slides, e.g. CC-BY-4.0</span>
          <input value={licence} maxLength={60} onInput={(event) => setLicence(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>How it was made</span>
          <textarea value={note} maxLength={2000} rows={3} onInput={(event) => setNote(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="submit" class="primary" disabled={variant.trim() === ""}>
            Freeze
          </button>
        </div>
      </form>
    </Dialog>
  );
}
