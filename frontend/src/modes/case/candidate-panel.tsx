import { useSignal, type Signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import type { Comments } from "../../state/comments";
import { Section } from "../../ui/panel";
import type { Cell } from "../../viewer/cell-table";
import type { CaseState } from "./case-state";

interface Properties {
  comments: Comments;
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
export function CandidatePanel({ comments, state, cell, isAdding, comment, onAccept, onReject, onAtypical, onUnsure, onRemove, onStep }: Properties) {
  const now = cell && state.stateOf(cell);
  const press = (key: string, title: string, on: readonly string[], run: () => void) => (
    <button type="button" disabled={!cell} aria-pressed={now !== undefined && on.includes(now)} onClick={run}>
      {title} <kbd>{key}</kbd>
    </button>
  );
  return (
    <Section title={cell ? titleOf(cell) : "Candidate"}>
      <div class="verdicts">
        {press("A", "Accept", ["accepted", "added"], onAccept)}
        {press("R", "Reject", ["rejected"], onReject)}
        {press("T", "Atypical", ["atypical"], onAtypical)}
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
      {cell && <CommentOn key={cell.id} comments={comments} cell={cell} field={comment} />}
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
  comments: Comments;
  cell: Cell;
  field: RefObject<HTMLInputElement | null>;
}

/** What I remark on the candidate; it stands in what is signed. */
function CommentOn({ comments, cell, field }: CommentProperties) {
  const typed = useSignal<string | null>(null);
  useEffect(() => void comments.load(), [comments]);
  const keep = () => {
    if (typed.value !== null) void comments.say(cell.id, typed.value.trim());
    typed.value = null;
  };
  return (
    <input
      ref={field}
      value={typed.value ?? comments.mine(cell.id)}
      maxLength={4000}
      placeholder="Comment (C)"
      aria-label="Comment on the candidate"
      onInput={(event) => (typed.value = event.currentTarget.value)}
      onBlur={keep}
      onKeyDown={(event) => {
        if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}
