import { signal, useSignal } from "@preact/signals";
import { MessageSquare } from "lucide";
import { useEffect } from "preact/hooks";
import { me } from "../state/session";
import type { StageCells } from "./stage-cells";
import type { StageTool } from "./stage-tool";

/** Remarks on the selected cell: one's own, and those of others where their labels are shown too. */
export function commentTool(cells: StageCells): StageTool {
  const Face = () => {
    useEffect(() => void cells.comments.load(), []);
    const cell = cells.selected.value;
    if (cell === null) return <p class="soft">Select a cell: click it, or choose it in the list.</p>;
    return <Remarks key={cell} cells={cells} cell={cell} />;
  };
  return { title: "Comment on the cell", icon: MessageSquare, key: "Shift+T", isOn: signal(false), Face };
}

function Remarks({ cells, cell }: { cells: StageCells; cell: number }) {
  const { comments } = cells;
  const others = (comments.by.value.get(cell) ?? []).filter((one) => one.rater !== me.value?.rater.id);
  const mine = comments.mine(cell);
  const typed = useSignal<string | null>(null);
  const keep = () => {
    if (typed.value !== null) void comments.say(cell, typed.value.trim());
    typed.value = null;
  };
  return (
    <>
      {others.map((one, at) => (
        <p key={at}>
          <b>
            <bdi>{one.rater_name}</bdi>
          </b>{" "}
          <bdi>{one.text}</bdi>
        </p>
      ))}
      <textarea
        rows={3}
        maxLength={4000}
        aria-label="Your comment on this cell"
        placeholder="Your comment"
        value={typed.value ?? mine}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey) return;
          event.preventDefault();
          keep();
          event.currentTarget.blur();
        }}
      />
      <button type="button" disabled={typed.value === null || typed.value.trim() === mine} onClick={keep}>
        Save <kbd>↵</kbd>
      </button>
    </>
  );
}
