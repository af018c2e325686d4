import type { Signal } from "@preact/signals";
import type { ClassLabel } from "../api/types";
import { Glyph } from "../ui/glyph";
import { Section } from "../ui/panel";
import type { Cell, CellTable } from "../viewer/cell-table";

/** What of the cells is shown. */
export interface Filter {
  readonly hiddenLabels: ReadonlySet<number>;
  readonly hiddenRaters: ReadonlySet<string>;
  /** Cells with a score below it are hidden. */
  readonly minimumScore: number;
  readonly showsCells: boolean;
}

export const EVERYTHING: Filter = {
  hiddenLabels: new Set(),
  hiddenRaters: new Set(),
  minimumScore: 0,
  showsCells: true,
};

export function passes(filter: Filter, cell: Cell): boolean {
  return (
    filter.showsCells &&
    !filter.hiddenLabels.has(cell.label) &&
    !(cell.rater !== null && filter.hiddenRaters.has(cell.rater)) &&
    (cell.score === null || cell.score >= filter.minimumScore)
  );
}

function toggled<T>(set: ReadonlySet<T>, value: T): Set<T> {
  const next = new Set(set);
  if (!next.delete(value)) next.add(value);
  return next;
}

interface Tally {
  readonly labels: Map<number, number>;
  readonly raters: Map<string, number>;
  readonly hasScores: boolean;
}

export function tally(table: CellTable): Tally {
  const labels = new Map<number, number>();
  const raters = new Map<string, number>();
  let hasScores = false;
  for (const cell of table.all()) {
    labels.set(cell.label, (labels.get(cell.label) ?? 0) + 1);
    if (cell.rater) raters.set(cell.rater, (raters.get(cell.rater) ?? 0) + 1);
    hasScores ||= cell.score !== null;
  }
  return { labels, raters, hasScores };
}

interface Properties {
  filter: Signal<Filter>;
  labels: readonly ClassLabel[];
  counts: Tally;
}

/** Show and hide cells by class, rater and score. */
export function Filters({ filter, labels, counts }: Properties) {
  const now = filter.value;
  const unlabelled = counts.labels.get(0) ?? 0;
  return (
    <Section title="Shown">
      {labels.map((label, at) => (
        <label key={label.id} class="check">
          <input
            type="checkbox"
            checked={!now.hiddenLabels.has(label.id)}
            onChange={() => (filter.value = { ...now, hiddenLabels: toggled(now.hiddenLabels, label.id) })}
          />
          <Glyph order={at} colour={label.colour} />
          <bdi class="clip grow">{label.name}</bdi>
          <span class="soft">{(counts.labels.get(label.id) ?? 0).toLocaleString("en")}</span>
        </label>
      ))}
      {unlabelled > 0 && (
        <label class="check">
          <input type="checkbox" checked={!now.hiddenLabels.has(0)} onChange={() => (filter.value = { ...now, hiddenLabels: toggled(now.hiddenLabels, 0) })} />
          <span class="grow indent">without class</span>
          <span class="soft">{unlabelled.toLocaleString("en")}</span>
        </label>
      )}
      {counts.raters.size > 1 &&
        [...counts.raters].map(([rater, count]) => (
          <label key={rater} class="check">
            <input
              type="checkbox"
              checked={!now.hiddenRaters.has(rater)}
              onChange={() => (filter.value = { ...now, hiddenRaters: toggled(now.hiddenRaters, rater) })}
            />
            <bdi class="clip grow">{rater}</bdi>
            <span class="soft">{count.toLocaleString("en")}</span>
          </label>
        ))}
      {counts.hasScores && (
        <label class="field">
          <span>Score at least {now.minimumScore.toFixed(2)}</span>
          <input
            type="range"
            min={0}
            max={1}
            step={0.01}
            value={now.minimumScore}
            onInput={(event) => (filter.value = { ...now, minimumScore: event.currentTarget.valueAsNumber })}
          />
        </label>
      )}
    </Section>
  );
}
