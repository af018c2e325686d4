import { FlaskConical, FolderOpen, Upload as UploadIcon } from "lucide";
import { useEffect, useRef, useState } from "preact/hooks";
import { Away } from "../api/errors";
import { ask, get, put } from "../api/request";
import type { Done, FoundFiles, IntakeState, UploadState } from "../api/types";
import { newKey } from "../outbox/key";
import { enter, me, sayError, write } from "../state/session";
import { Icon } from "../ui/icon";
import { digestOf, formatBytes, sendFile, type Ways } from "./upload";

const LOOK_AGAIN_MS = 1_000;

const WAYS: Ways = {
  begin: (file) => ask<UploadState>("POST", "/api/uploads", { key: newKey(), name: file.name, bytes: file.size, changed_ms: file.lastModified }),
  put: async (upload, offset, piece, signal) => {
    const digest = await digestOf(piece);
    return put<UploadState>(`/api/uploads/${upload}/pieces/${offset}${digest === null ? "" : `?sha256=${digest}`}`, piece, signal);
  },
  finish: async (upload) => void (await ask<Done>("POST", `/api/uploads/${upload}/finish`, { key: newKey() })),
  wait: (ms) => new Promise((resolve) => window.setTimeout(resolve, ms)),
};

interface Sending {
  readonly file: File;
  readonly stop: AbortController;
  share: number;
}

/** Slides come into a study: dropped or chosen here, chosen in the folder of the slides, or as a sample. */
export function AddSlides() {
  const [intake, setIntake] = useState<IntakeState | null>(null);
  const [sending, setSending] = useState<readonly Sending[]>([]);
  const [isOver, setOver] = useState(false);
  const [isOpen, setOpen] = useState(me.value?.slides.length === 0);
  const { look } = useIntake(setIntake);

  const send = async (files: Iterable<File>) => {
    const mine = Array.from(files, (file): Sending => ({ file, stop: new AbortController(), share: 0 }));
    setSending((before) => [...before, ...mine]);
    for (const one of mine) {
      const told = (share: number) => {
        one.share = share;
        setSending((now) => [...now]);
      };
      await sendFile(one.file, WAYS, told, one.stop.signal).catch(sayError);
      setSending((now) => now.filter((other) => other !== one));
      look();
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void send(event.dataTransfer?.files ?? []);
  };
  return (
    <details class="add-slides" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Add slides</summary>
      <div
        class={`drop-zone ${isOver ? "over" : ""}`}
        onDragOver={(event) => (event.preventDefault(), setOver(true))}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <Icon of={UploadIcon} size={28} />
        <p>
          <b>Drop slides here</b>, or{" "}
          <label class="link">
            choose files
            <input
              type="file"
              class="unseen"
              multiple
              accept={intake?.suffixes.join(",")}
              onChange={(event) => {
                void send(event.currentTarget.files ?? []);
                event.currentTarget.value = "";
              }}
            />
          </label>
          .
        </p>
        <p class="soft">They are copied to the folder of the slides. A broken upload goes on where it stopped when you choose the file again.</p>
      </div>
      {sending.length > 0 && (
        <ul class="plain">
          {sending.map((one) => (
            <li key={one.file.name} class="upload">
              <bdi class="clip">{one.file.name}</bdi>
              <progress max={1} value={one.share} aria-label={`${one.file.name} sent`} />
              <span class="soft">
                {formatBytes(one.share * one.file.size)} of {formatBytes(one.file.size)}
              </span>
              <button type="button" onClick={() => one.stop.abort()}>
                Stop
              </button>
            </li>
          ))}
        </ul>
      )}
      <Folder onChosen={look} />
      <Sample intake={intake} onAsked={look} />
      {intake !== null && intake.waiting > 0 && (
        <p class="soft" aria-live="polite">
          Looking at files: {(intake.of - intake.waiting).toLocaleString("en")} of {intake.of.toLocaleString("en")}.
        </p>
      )}
      {intake !== null && intake.refused.length > 0 && (
        <ul class="plain" aria-label="Files that are no slides">
          {intake.refused.map((one) => (
            <li key={one.name} class="warn">
              <bdi>{one.name}</bdi>: {one.reason}
              {one.mend ? `; ${one.mend}` : ""}
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}

/** Look how far the files are taken in, again and again while some wait; slides that are new are shown. */
function useIntake(told: (intake: IntakeState) => void): { look: () => void } {
  const timer = useRef(0);
  const before = useRef<{ of: number; isBusy: boolean } | null>(null);
  const look = () => {
    window.clearTimeout(timer.current);
    get<IntakeState>("/api/intake").then(
      (found) => {
        told(found);
        const isBusy = found.waiting > 0 || found.sample === "being drawn";
        if (isBusy) timer.current = window.setTimeout(look, LOOK_AGAIN_MS);
        if (before.current !== null && (before.current.isBusy || isBusy || before.current.of !== found.of)) void enter();
        before.current = { of: found.of, isBusy };
      },
      (error: unknown) => {
        if (error instanceof Away) timer.current = window.setTimeout(look, LOOK_AGAIN_MS * 5);
        else sayError(error);
      },
    );
  };
  useEffect(() => {
    look();
    return () => window.clearTimeout(timer.current);
  }, []);
  return { look };
}

/** The files that lie in the folder of the slides already. */
function Folder({ onChosen }: { onChosen(): void }) {
  const [found, setFound] = useState<FoundFiles | null>(null);
  const [ticked, tick] = useState<ReadonlySet<string>>(new Set());
  const [word, setWord] = useState("");
  const open = () => get<FoundFiles>("/api/files").then(setFound, sayError);
  if (found === null) {
    return (
      <button type="button" class="with-icon" onClick={() => void open()}>
        <Icon of={FolderOpen} /> Choose in the folder of the slides
      </button>
    );
  }
  if (found.files.length === 0) return <p class="soft">The folder “{found.upload_folder}” has no further slides.</p>;
  const matching = found.files.filter((file) => file.name.toLowerCase().includes(word.toLowerCase()));
  const toggle = (name: string) => {
    const next = new Set(ticked);
    if (!next.delete(name)) next.add(name);
    tick(next);
  };
  const take = async () => {
    const names = ticked.size > 0 ? [...ticked] : matching.map((file) => file.name);
    if (!(await write<Done>("POST", "/api/files", { names }))) return;
    setFound(null);
    tick(new Set());
    onChosen();
  };
  return (
    <fieldset class="folder">
      <legend>Files in the folder of the slides</legend>
      <input type="search" placeholder="Filter by name" aria-label="Filter by name" value={word} onInput={(event) => setWord(event.currentTarget.value)} />
      <ul class="plain files">
        {matching.slice(0, SHOWN_MAX).map((file) => (
          <li key={file.name}>
            <label>
              <input type="checkbox" checked={ticked.has(file.name)} onChange={() => toggle(file.name)} /> <bdi>{file.name}</bdi>{" "}
              <span class="soft">
                {file.folder}, {formatBytes(file.bytes)}
              </span>
            </label>
          </li>
        ))}
      </ul>
      {matching.length > SHOWN_MAX && <p class="soft">and {(matching.length - SHOWN_MAX).toLocaleString("en")} more</p>}
      <button type="button" class="primary" disabled={matching.length === 0 && ticked.size === 0} onClick={() => void take()}>
        {ticked.size > 0 ? `Add ${ticked.size}` : `Add all ${matching.length.toLocaleString("en")}`}
      </button>
    </fieldset>
  );
}

const SHOWN_MAX = 200;

function Sample({ intake, onAsked }: { intake: IntakeState | null; onAsked(): void }) {
  const has = me.value?.slides.some((slide) => slide.name.startsWith("synthetic sample"));
  if (intake === null || has) return null;
  if (intake.sample === "being drawn") return <p aria-live="polite">The synthetic slide is being drawn …</p>;
  const make = async () => {
    if (await write<Done>("POST", "/api/sample")) onAsked();
  };
  return (
    <button type="button" class="with-icon" onClick={() => void make()}>
      <Icon of={FlaskConical} /> Try it with a synthetic slide
    </button>
  );
}
