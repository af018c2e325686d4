import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { ClassLabel, Round } from "../api/types";
import { useCommands, type Command } from "../keys/commands";
import { go } from "../state/route";
import { studyLabels, me } from "../state/session";
import { LabelKeys, labelCommands } from "../ui/label-keys";
import { Empty, Panel, Progress, Section } from "../ui/panel";
import { ContactSheet } from "./contact-sheet";
import { Opinions } from "./opinions";
import { Queue } from "./queue";
import { CellInContext } from "./cell-in-context";

const TITLES: Partial<Record<Round["kind"], string>> = {
  "second read": "Second read",
  consensus: "Consensus",
  "third expert": "Third expert",
  "candidate review": "Candidates",
};

/** One cell after the other, in context or as a contact sheet: second read, consensus, third expert, candidates. */
export function Review({ round }: { round: Round }) {
  const queue = useMemo(() => new Queue(round), [round.id]);
  const labels = useMemo(studyLabels, []);
  const isSheet = useSignal(false);
  const chosen = useSignal<number | null>(null);
  const current = (isSheet.value && queue.cells.value.find((one) => one.cell === chosen.value)) || queue.current.value;
  /** The class of cells that a click adds; null while the cells of the round are read. */
  const adds = useSignal<number | null>(null);
  const mayAdd = round.settings.may_add === true;
  const toggleAdding = () => {
    isSheet.value = false;
    adds.value = adds.value === null ? (labels.find((one) => one.name === "mitotic figure")?.id ?? null) : null;
  };
  const give = (label: number) => {
    if (adds.value !== null) {
      adds.value = label;
      return;
    }
    if (!current) return;
    if (isSheet.value) chosen.value = following(queue, current.cell);
    queue.label(current, label);
  };
  useCommands(TITLES[round.kind] ?? "Review", [
    ...verdicts(round, labels, give),
    ...labelCommands(labels, give),
    { keys: ["s", "Space"], title: "Skip, it comes back at the end", run: () => queue.skip() },
    { keys: ["p", "Backspace"], title: "Back to the last one", run: () => void queue.back() },
    ...(mayAdd ? [{ keys: ["e"], title: "Add cells that were missed, on or off", run: toggleAdding }] : []),
    { keys: ["v"], title: "Contact sheet or one in context", run: () => (isSheet.value = !isSheet.value) },
    { keys: ["Ctrl+Z"], title: "Undo", run: () => queue.work.undo() },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], title: "Redo", run: () => queue.work.redo() },
  ]);
  const also = useMemo(() => alsoKeys(verdictsOf(round, labels)), [round.id]);
  if (!queue.isLoaded.value) return <Empty title="Loading the cells …" />;
  return (
    <div class="work">
      {current === null ? (
        <Finished round={round} queue={queue} />
      ) : isSheet.value ? (
        <ContactSheet queue={queue} current={current} onChoose={(cell) => (chosen.value = cell)} />
      ) : (
        <CellInContext cell={current} queue={queue} labels={labels} adds={adds.value} />
      )}
      <Panel label="Review">
        <Section title={round.bin ? `Candidates, group ${round.bin} of ${round.bins}` : TITLES[round.kind]}>
          <Progress done={queue.labelled.value} of={queue.of.value} what="cells" />
          <div class="segments" role="group" aria-label="How cells are shown">
            <button type="button" aria-pressed={!isSheet.value} onClick={() => (isSheet.value = false)}>
              In context
            </button>
            <button type="button" aria-pressed={isSheet.value} onClick={() => (isSheet.value = true)}>
              Sheet
            </button>
          </div>
        </Section>
        {current && mayAdd && <Missed labels={labels} adds={adds.value} onToggle={toggleAdding} onChoose={give} />}
        {current && adds.value === null && (
          <>
            <Section title={round.kind === "candidate review" ? "Is it one?" : "Class"}>
              <LabelKeys labels={labels} current={queue.labelOf(current)} onChoose={give} legend="Class of this cell" also={also} />
              {round.kind === "candidate review" && current.score !== null && <p class="soft">Score of the model {current.score.toFixed(2)}</p>}
            </Section>
            <Opinions cell={current} />
          </>
        )}
        <div class="row">
          <button type="button" onClick={() => void queue.back()} title="Back to the last one (P)">
            Back
          </button>
          <button type="button" disabled={!current} onClick={() => queue.skip()} title="Skip (S)">
            Skip
          </button>
          <button type="button" disabled={!queue.work.canUndo.value} onClick={() => queue.work.undo()}>
            Undo
          </button>
        </div>
        {round.is_blinded && <p class="soft note">Blinded: you see nobody else’s label, and nobody sees yours.</p>}
        {round.speaks_as === "consensus" && <p class="soft note">What you give here counts as the joint consensus.</p>}
      </Panel>
    </div>
  );
}

interface MissedProperties {
  labels: readonly ClassLabel[];
  adds: number | null;
  onToggle(): void;
  onChoose(label: number): void;
}

/** Cells that those before have missed; they go to another expert like all others (CCMCT). */
function Missed({ labels, adds, onToggle, onChoose }: MissedProperties) {
  return (
    <Section title="Missed cells">
      {adds !== null && (
        <>
          <p class="soft">Click where a cell is missing. Those that are known are ringed, without their class.</p>
          <LabelKeys labels={labels} current={adds} onChoose={onChoose} legend="Class of the cells that are added" />
        </>
      )}
      <button type="button" aria-pressed={adds !== null} onClick={onToggle}>
        {adds === null ? "Add cells" : "Back to the cells to be read"} <kbd>E</kbd>
      </button>
    </Section>
  );
}

function following(queue: Queue, cell: number): number | null {
  const cells = queue.cells.value;
  const at = cells.findIndex((one) => one.cell === cell);
  return (cells[at + 1] ?? cells[at - 1])?.cell ?? null;
}

/** Candidates are accepted as mitotic figures or rejected as look-alikes (HEAEL, ODAEL). */
function verdicts(round: Round, labels: readonly ClassLabel[], give: (label: number) => void): Command[] {
  const found = verdictsOf(round, labels);
  if (!found) return [];
  return [
    { keys: ["a"], title: "Accept: mitotic figure", run: () => give(found.figure) },
    { keys: ["r"], title: "Reject: look-alike", run: () => give(found.lookAlike) },
  ];
}

interface Verdicts {
  readonly figure: number;
  readonly lookAlike: number;
}

function verdictsOf(round: Round, labels: readonly ClassLabel[]): Verdicts | null {
  const [figure, lookAlike] = ["mitotic figure", "look-alike"].map((name) => labels.find((one) => one.name === name)?.id);
  return round.kind === "candidate review" && figure !== undefined && lookAlike !== undefined ? { figure, lookAlike } : null;
}

function alsoKeys(found: Verdicts | null): ReadonlyMap<number, string> {
  return new Map(
    found
      ? [
          [found.figure, "A"],
          [found.lookAlike, "R"],
        ]
      : [],
  );
}

function Finished({ round, queue }: { round: Round; queue: Queue }) {
  const later = me.value?.rounds.filter((one) => one.review !== null && one.review === round.review && (one.bin ?? 0) > (round.bin ?? 0)) ?? [];
  const next = later.sort((one, other) => (one.bin ?? 0) - (other.bin ?? 0))[0];
  return (
    <Empty title={queue.of.value === 0 ? "There is no cell in this round." : "All cells are labelled."}>
      {queue.of.value > 0 && <p>Thank you. You have labelled all {queue.of.value.toLocaleString("en")} cells.</p>}
      {next && (
        <button type="button" class="primary" onClick={() => go(`/round/${next.id}`)}>
          Group {next.bin} of {next.bins}
        </button>
      )}
      <button type="button" onClick={() => go("/")}>
        Back to my work
      </button>
    </Empty>
  );
}
