import { useSignal, type Signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { get } from "../../api/request";
import type { CommentKept, Comments, Round } from "../../api/types";
import { me, sayError, theOutbox } from "../../state/session";
import { Section } from "../../ui/panel";
import type { Cell } from "../../viewer/cell-table";
import type { CaseState } from "./case-state";

interface Properties {
  round: Round;
  slide: number;
  state: CaseState;
  cell: Cell | undefined;
  isAdding: Signal<boolean>;
  /** Where it is remarked upon, so that a key leads there at once. */
  comment: RefObject<HTMLInputElement | null>;
  onAccept(): void;
  onReject(): void;
  onAtypical(): void;
  onUnsure(): void;
  onRemove(): void;
  onStep(by: 1 | -1): void;
}

/** The candidate that is selected, what can be said of it, and what was missed. */
export function CandidatePanel({ round, slide, state, cell, isAdding, comment, onAccept, onReject, onAtypical, onUnsure, onRemove, onStep }: Properties) {
  const now = cell && state.stateOf(cell);
  const hasAtypical = state.found.value?.atypical_label !== null;
  const press = (key: string, title: string, on: readonly string[], run: () => void, isOff = false) => (
    <button type="button" disabled={!cell || isOff} aria-pressed={now !== undefined && on.includes(now)} onClick={run}>
      {title} <kbd>{key}</kbd>
    </button>
  );
  return (
    <Section title={cell ? titleOf(cell) : "Candidate"}>
      <div class="verdicts">
        {press("A", "Accept", ["accepted", "added"], onAccept)}
        {press("R", "Reject", ["rejected"], onReject)}
        {press("T", "Atypical", ["atypical"], onAtypical, !hasAtypical)}
        {press("U", "Unsure", ["unsure"], onUnsure)}
      </div>
      <div class="row">
        <button type="button" onClick={() => onStep(-1)} title="Previous candidate (P)">
          Previous
        </button>
        <button type="button" class="grow" onClick={() => onStep(1)}>
          Next <kbd>N</kbd>
        </button>
        <button type="button" disabled={!state.work.canUndo.value} onClick={() => state.work.undo()} title="Undo (Ctrl+Z)">
          Undo
        </button>
      </div>
      {cell && cell.id > 0 && <CommentOn key={cell.id} round={round} slide={slide} cell={cell} comment={comment} />}
      <div class="row">
        <button type="button" class="grow" aria-pressed={isAdding.value} onClick={() => (isAdding.value = !isAdding.value)}>
          Add a missed figure <kbd>F</kbd>
        </button>
        {now === "added" && (
          <button type="button" onClick={onRemove} title="Remove this figure (Del)">
            Remove
          </button>
        )}
      </div>
    </Section>
  );
}

function titleOf(cell: Cell): string {
  return cell.score === null ? "Figure added by hand" : `Candidate, score ${cell.score.toFixed(2)}`;
}

interface CommentProperties {
  round: Round;
  slide: number;
  cell: Cell;
  comment: RefObject<HTMLInputElement | null>;
}

/** What I remark on the candidate; it stands in what is signed. */
function CommentOn({ round, slide, cell, comment }: CommentProperties) {
  const text = useSignal("");
  const kept = useRef("");
  useEffect(() => {
    get<Comments>(`/api/rounds/${round.id}/slides/${slide}/comments`).then(({ comments }) => {
      const mine = comments.filter((one) => one.cell === cell.id && one.rater === me.value?.rater.id).at(-1);
      kept.current = mine?.text ?? "";
      text.value ||= kept.current;
    }, sayError);
  }, [cell.id]);
  const keep = () => {
    const said = text.value.trim();
    if (said === kept.current) return;
    kept.current = said;
    theOutbox().send<CommentKept>({ path: `/api/rounds/${round.id}/comments`, body: { cell: cell.id, text: said }, title: "Comment" }).catch(sayError);
  };
  return (
    <input
      ref={comment}
      value={text.value}
      maxLength={4000}
      placeholder="Comment (C)"
      aria-label="Comment on the candidate"
      onInput={(event) => (text.value = event.currentTarget.value)}
      onBlur={keep}
      onKeyDown={(event) => {
        if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}
