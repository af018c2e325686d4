import { useState } from "preact/hooks";
import type { Person, RoundKind } from "../api/types";
import { me, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { Choice } from "./choice";
import { SlidePicker } from "./slide-picker";

const KINDS: readonly [RoundKind, string][] = [
  ["screening", "Screening: all tissue, field by field"],
  ["second read", "Second read: cells without labels, in random order"],
  ["consensus", "Consensus: the disputed cells, decided together"],
  ["third expert", "Third expert: the disputed cells, one more vote"],
  ["case review", "Case: candidates, hot spot, signed count"],
  ["crowd boxes", "Crowd: boxes on tiles"],
  ["crowd tiles", "Crowd: yes or no for tiles"],
  ["unstated", "Free labelling"],
];

interface Properties {
  people: readonly Person[];
  onDone(): void;
  onClose(): void;
}

export function NewRound({ people, onDone, onClose }: Properties) {
  const [kind, setKind] = useState<RoundKind>("screening");
  const [name, setName] = useState("");
  const [raters, setRaters] = useState<ReadonlySet<number>>(new Set());
  const [slides, setSlides] = useState<ReadonlySet<number>>(new Set(me.value?.slides.map((slide) => slide.id)));
  const [showsLabels, setShowsLabels] = useState(kind === "consensus");
  const [cells, setCells] = useState<"all" | "added">("all");
  const [mayAdd, setMayAdd] = useState(false);
  const isAboutDisputes = kind === "consensus" || kind === "third expert";
  const submit = async (event: Event) => {
    event.preventDefault();
    const body = {
      name: name.trim() || kind,
      kind,
      raters: [...raters],
      slides: [...slides],
      ...(isAboutDisputes ? { cells: "disputed", shows_labels: showsLabels } : {}),
      ...(kind === "second read" ? { cells, settings: { may_add: mayAdd } } : {}),
    };
    if (await write("POST", "/api/rounds", body)) onDone();
  };
  return (
    <Dialog title="New round" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>Kind</span>
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value as RoundKind)}>
            {KINDS.map(([value, title]) => (
              <option key={value} value={value}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Name</span>
          <input value={name} maxLength={200} placeholder={kind} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <Choice legend="Raters" options={people} chosen={raters} onChange={setRaters} />
        <SlidePicker chosen={slides} onChange={setSlides} />
        {isAboutDisputes && (
          <label class="check">
            <input type="checkbox" checked={showsLabels} onChange={(event) => setShowsLabels(event.currentTarget.checked)} />
            Show the labels of the first two
          </label>
        )}
        {kind === "second read" && (
          <>
            <label class="field">
              <span>Which cells</span>
              <select value={cells} onChange={(event) => setCells(event.currentTarget.value as typeof cells)}>
                <option value="all">All cells of the slides</option>
                <option value="added">Those that another reader added, for the first expert</option>
              </select>
            </label>
            <label class="check">
              <input type="checkbox" checked={mayAdd} onChange={(event) => setMayAdd(event.currentTarget.checked)} />
              Readers may add cells that were missed
            </label>
          </>
        )}
        <div class="actions">
          <button type="submit" class="primary" disabled={raters.size === 0 || slides.size === 0}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
