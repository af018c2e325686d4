import type { ClassLabel } from "../api/types";
import { Glyph } from "./glyph";

interface Properties {
  labels: readonly ClassLabel[];
  /** The class that is in force or given; 0 for none. */
  current: number;
  onChoose(label: number): void;
  legend: string;
  /** Further keys of a class, by its id. */
  also?: ReadonlyMap<number, string>;
  /** Whether the keys 1 to 9 are about these classes now. */
  hasKeys?: boolean;
}

/** One button a class, with its key, shape and colour. */
export function LabelKeys({ labels, current, onChoose, legend, also, hasKeys = true }: Properties) {
  return (
    <fieldset class="classes">
      <legend class="unseen">{legend}</legend>
      {labels.map((label, at) => (
        <button key={label.id} type="button" aria-pressed={label.id === current} onClick={() => onChoose(label.id)}>
          <Glyph order={at} colour={label.colour} />
          <bdi class="clip">{label.name}</bdi>
          <span>
            {also?.has(label.id) && <kbd>{also.get(label.id)}</kbd>}
            {hasKeys && at < 9 && <kbd>{at + 1}</kbd>}
          </span>
        </button>
      ))}
    </fieldset>
  );
}

/** The keys 1 to 9 for the classes of a study. */
export function labelCommands(labels: readonly ClassLabel[], onChoose: (label: number) => void, what = "Class") {
  return labels.slice(0, 9).map((label, at) => ({
    keys: [String(at + 1)],
    title: `${what}: ${label.name}`,
    run: () => onChoose(label.id),
  }));
}
