import type { CellRecord } from "../api/types";
import { labelName } from "../state/session";
import { Section } from "../ui/panel";

/** What others said of a cell, where the study shows it. */
export function Opinions({ cell }: { cell: CellRecord }) {
  if (cell.others.length === 0) return null;
  return (
    <Section title="What others said">
      <ul class="opinions">
        {cell.others.map((one, at) => (
          <li key={at}>
            <bdi class="clip">{one.rater_name}</bdi>
            <b>{labelName(one.label)}</b>
          </li>
        ))}
      </ul>
    </Section>
  );
}
