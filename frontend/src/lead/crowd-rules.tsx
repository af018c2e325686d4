import { useState } from "preact/hooks";
import type { RoundSet, StaffedRound } from "../api/types";
import { write } from "../state/session";
import { say } from "../ui/toast";
import { NumberField } from "../ui/number-field";

/** How many must answer a tile, who passes the test, and what makes a box. */
export function CrowdRules({ round }: { round: StaffedRound }) {
  const [reviewers, setReviewers] = useState(round.settings.minimum_reviewers ?? 5);
  const [gold, setGold] = useState(round.settings.gold_needed ?? 5);
  const [mark, setMark] = useState(Math.round((round.settings.pass_mark ?? 0.8) * 100));
  const [rule, setRule] = useState(round.settings.box_rule ?? "two");
  const save = async (event: Event) => {
    event.preventDefault();
    const settings = { minimum_reviewers: reviewers, gold_needed: gold, pass_mark: mark / 100, box_rule: rule };
    if (await write<RoundSet>("PUT", `/api/rounds/${round.id}`, { settings })) say("The rules hold from now on, for what was answered too.");
  };
  return (
    <section>
      <h3>Rules</h3>
      <form class="bar wrap" onSubmit={(event) => void save(event)}>
        <NumberField title="Answers a tile" value={reviewers} min={1} max={1000} onChange={setReviewers} />
        <NumberField title="Gold in the test" value={gold} min={0} max={1000} onChange={setGold} />
        <NumberField title="Pass mark, %" value={mark} min={0} max={100} onChange={setMark} />
        {round.kind === "crowd boxes" && (
          <label class="field">
            <span>A box counts where it was drawn by</span>
            <select value={rule} onChange={(event) => setRule(event.currentTarget.value as typeof rule)}>
              <option value="two">two of those who answered (crowd)</option>
              <option value="majority">more than half, e.g. 3 of 5 (experts)</option>
            </select>
          </label>
        )}
        <button type="submit">Save</button>
      </form>
    </section>
  );
}
