import { useEffect, useState } from "preact/hooks";
import { ask, get } from "../api/request";
import type { FileFormat, FileFormats, Imported, Preview } from "../api/types";
import { enter, me, sayError, write } from "../state/session";
import { counted } from "../ui/counted";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";
import { base64Of } from "./base64";

const MAX_BYTES = 11e6;
const LEAVE_OUT = "ignore";

interface Chosen {
  readonly name: string;
  readonly content: string;
}

/** Reads an annotation file into the study; which class each of its names becomes is shown before. */
export function ImportFile({ onDone, onClose }: { onDone(): void; onClose(): void }) {
  const [file, setFile] = useState<Chosen | null>(null);
  const [slide, setSlide] = useState("");
  const [rater, setRater] = useState("");
  const [format, setFormat] = useState("");
  const [formats, setFormats] = useState<readonly FileFormat[]>([]);
  useEffect(() => {
    get<FileFormats>("/api/formats").then((answer) => setFormats(answer.formats), sayError);
  }, []);
  const [labels, setLabels] = useState<Record<string, string>>({});
  const [shown, setShown] = useState<Preview | null>(null);
  const [unmapped, setUnmapped] = useState<Preview["unknown"]>([]);
  const body = (chosen: Chosen, mapped: Record<string, string>) => ({
    ...chosen,
    labels: mapped,
    ...(slide ? { slide } : {}),
    ...(format ? { format } : {}),
    ...(rater.trim() ? { rater: rater.trim() } : {}),
  });
  const look = async (chosen: Chosen, mapped: Record<string, string>) => {
    try {
      const found = await ask<Preview>("POST", "/api/imports/preview", body(chosen, mapped));
      if (found.unknown.length > 0) setUnmapped(found.unknown);
      setShown(found);
    } catch (error) {
      setShown(null);
      sayError(error);
    }
  };
  const choose = async (event: Event) => {
    const picked = (event.currentTarget as HTMLInputElement).files?.[0];
    setShown(null);
    setLabels({});
    setUnmapped([]);
    setFile(null);
    if (!picked) return;
    if (picked.size > MAX_BYTES) {
      say(`${picked.name} has ${(picked.size / 1e6).toFixed(0)} MB.`, {
        kind: "warning",
        mend: `On the machine of the study: mitoscope store import ${me.value?.study.name ?? "STUDY"} FILE`,
      });
      return;
    }
    const chosen = { name: picked.name, content: await base64Of(picked) };
    setFile(chosen);
    await look(chosen, {});
  };
  const map = (name: string, target: string) => {
    const next = { ...labels, [name]: target };
    setLabels(next);
    if (file && unmapped.every((one) => next[one.name])) void look(file, next);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!file) return;
    const done = await write<Imported>("POST", "/api/imports", body(file, labels));
    if (!done) return;
    const parts = [counted(done.cells, "new cell"), counted(done.labels, "label")];
    if (done.regions > 0) parts.push(counted(done.regions, "region"));
    if (done.known > 0) parts.push(`${counted(done.known, "cell")} known before`);
    if (done.quarantined > 0) parts.push(`${counted(done.quarantined, "entry")} in quarantine`);
    say(`Imported: ${parts.join(", ")}.`);
    void enter();
    onDone();
  };
  const isReady = shown !== null && shown.unknown.length === 0;
  const stranger = shown?.slides.filter((one) => !one.is_known) ?? [];
  return (
    <Dialog title="Labels from a file" wide onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>SlideRunner, COCO or MIDOG JSON, GeoJSON of QuPath, CSV, DICOM annotations and more; the content tells the format</span>
          <input type="file" onChange={(event) => void choose(event).catch(sayError)} />
        </label>
        <div class="pair">
          <label class="field">
            <span>Format</span>
            <select value={format} onChange={(event) => setFormat(event.currentTarget.value)}>
              <option value="">as the content tells</option>
              {formats.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.title}
                </option>
              ))}
            </select>
          </label>
          <label class="field">
            <span>Slide, where the file names none</span>
            <select value={slide} onChange={(event) => setSlide(event.currentTarget.value)}>
              <option value="">as the file says</option>
              {me.value?.slides.map((one) => (
                <option key={one.id} value={one.name}>
                  {one.name}
                </option>
              ))}
            </select>
          </label>
          <label class="field">
            <span>Rater, where the file names none</span>
            <input value={rater} maxLength={100} onInput={(event) => setRater(event.currentTarget.value)} />
          </label>
        </div>
        {unmapped.length > 0 && <Mapping names={unmapped} classes={shown?.classes ?? []} labels={labels} onMap={map} />}
        {isReady && <Found preview={shown} />}
        {isReady && stranger.length > 0 && (
          <p class="warn">
            Not in the study, added without a picture: {counted(stranger.length, "slide")},{" "}
            {stranger
              .slice(0, 3)
              .map((one) => one.name)
              .join(", ")}
            {stranger.length > 3 ? " …" : ""}. If that is a mistake, choose the slide above.
          </p>
        )}
        <div class="actions">
          {file && (
            <button type="button" onClick={() => void look(file, labels)}>
              Look again
            </button>
          )}
          <button type="submit" class="primary" disabled={!isReady}>
            Import
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Mapping(properties: {
  names: Preview["unknown"];
  classes: readonly string[];
  labels: Record<string, string>;
  onMap(name: string, target: string): void;
}) {
  const { names, classes, labels, onMap } = properties;
  return (
    <table>
      <caption class="unseen">Class names of the file that are not known</caption>
      <thead>
        <tr>
          <th scope="col">Name in the file</th>
          <th scope="col" class="number">
            Cells
          </th>
          <th scope="col">Read as</th>
        </tr>
      </thead>
      <tbody>
        {names.map(({ name, cells }) => (
          <tr key={name}>
            <th scope="row">
              <bdi>{name}</bdi>
            </th>
            <td class="number">{cells.toLocaleString("en")}</td>
            <td>
              <select value={labels[name] ?? ""} aria-label={`Class of ${name}`} onChange={(event) => onMap(name, event.currentTarget.value)}>
                <option value="" disabled>
                  choose …
                </option>
                {classes.map((one) => (
                  <option key={one} value={one}>
                    {one}
                  </option>
                ))}
                <option value={name}>a class of its own</option>
                <option value={LEAVE_OUT}>leave these cells out</option>
              </select>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Found({ preview }: { preview: Preview }) {
  const read = preview.names.map(({ name, read_as }) => (name === read_as ? name : `${name} as ${read_as === LEAVE_OUT ? "nothing" : read_as}`));
  return (
    <div>
      <p>
        <b>
          {counted(preview.cells, "cell")} on {counted(preview.slides.length, "slide")}
        </b>
        {preview.regions > 0 && `, ${counted(preview.regions, "region")}`} ({preview.format}). Classes: {read.join("; ") || "none"}.
        {preview.ignored > 0 && ` Left out: ${counted(preview.ignored, "cell")}.`}
      </p>
      {preview.set_aside > 0 && (
        <details>
          <summary class="warn">Cannot be taken, and go to quarantine: {counted(preview.set_aside, "entry")}</summary>
          <ul>
            {preview.entries.map((entry) => (
              <li key={entry.where} class="soft">
                {entry.where}, {entry.slide}: {entry.why}
              </li>
            ))}
          </ul>
        </details>
      )}
      {preview.notes.map((note) => (
        <p key={note} class="soft">
          {note}
        </p>
      ))}
    </div>
  );
}
