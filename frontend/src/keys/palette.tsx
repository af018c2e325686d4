import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { addressOfRound } from "../home";
import { STUDY_PAGES } from "../lead/lead";
import { addressOfSlide } from "../slides/slide-query";
import { go, route } from "../state/route";
import { isLead, me, roundOf } from "../state/session";
import { Dialog } from "../ui/dialog";
import { KIND_WORDS } from "../ui/kinds";
import { commandsNow } from "./commands";
import { Keys } from "./help";

/** Something that can be gone to or done from here. */
export interface Entry {
  readonly title: string;
  /** What it is: an action of the slide, a page, a slide. */
  readonly kind: string;
  readonly key?: string;
  run(): void;
}

const SHOWN_MAX = 60;

/** Whatever has a key here, the pages, the work and the slides. */
function entriesNow(): Entry[] {
  const now = me.value;
  const [place, id] = route.value;
  const round = place === "round" ? roundOf(Number(id)) : undefined;
  const open = now?.rounds.filter((one) => one.is_open) ?? [];
  return [
    ...commandsNow().map(({ group, command }) => ({ title: command.title, kind: group, key: command.keys[0]!, run: () => command.run() })),
    ...open.map((one) => ({ title: one.name, kind: KIND_WORDS[one.kind], run: () => go(addressOfRound(one)) })),
    ...(isLead() ? STUDY_PAGES.map(({ name, title }) => ({ title, kind: "Study", run: () => go(`/study/${name}`) })) : []),
    ...(now?.slides ?? []).map((slide) => ({ title: slide.name, kind: "Slide", run: () => go(addressOfSlide(slide.id, open, round)) })),
  ];
}

/** The entries that hold all words, those first whose title begins with what is written, then those with such a word. */
export function matching(entries: readonly Entry[], text: string): Entry[] {
  const written = text.trim().toLowerCase();
  const words = written.split(/\s+/).filter(Boolean);
  const rank = (title: string) => (title.startsWith(written) ? 0 : ` ${title}`.includes(` ${words[0] ?? ""}`) ? 1 : 2);
  return entries
    .filter(({ title, kind }) => words.every((word) => `${title} ${kind}`.toLowerCase().includes(word)))
    .map((entry) => ({ entry, rank: rank(entry.title.toLowerCase()) }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ entry }) => entry);
}

/** Find an action, a page, a piece of work or a slide by its name, and go to it or do it. */
export function Palette({ onClose }: { onClose(): void }) {
  const [entries] = useState(entriesNow);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const found = matching(entries, text);
  const shown = found.slice(0, SHOWN_MAX);
  useLayoutEffect(() => list.current?.children[at]?.scrollIntoView({ block: "nearest" }), [at, text]);
  const use = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    queueMicrotask(() => entry.run()); // once the dialog has gone, for what opens one of its own
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined && shown.length > 0) setAt((at + by + shown.length) % shown.length);
    else if (event.key === "Enter") use(shown[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Find" onClose={onClose}>
      <div class="palette">
        <input
          role="combobox"
          aria-label="Action, page, work or slide"
          aria-expanded="true"
          aria-controls={id}
          aria-autocomplete="list"
          aria-activedescendant={shown.length > 0 ? `${id}-${at}` : undefined}
          autocomplete="off"
          spellcheck={false}
          placeholder="Action, page, work or slide"
          value={text}
          onInput={(event) => (setText(event.currentTarget.value), setAt(0))}
          onKeyDown={onKey}
          autofocus
        />
        <ul ref={list} id={id} role="listbox" aria-label="Found">
          {shown.map((entry, place) => (
            <li key={place} id={`${id}-${place}`} role="option" aria-selected={place === at} onClick={() => use(entry)}>
              <bdi class="clip grow">{entry.title}</bdi>
              <span class="soft">{entry.kind}</span>
              <span class="caps">{entry.key && <Keys of={entry.key} />}</span>
            </li>
          ))}
        </ul>
        <p class="soft" role="status">
          {found.length === 0 ? "Nothing is called like that." : found.length > SHOWN_MAX ? `and ${(found.length - SHOWN_MAX).toLocaleString("en")} more` : ""}
        </p>
      </div>
    </Dialog>
  );
}
