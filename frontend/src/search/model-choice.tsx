import type { ModelOffered } from "../api/types";

export interface Chosen {
  readonly model: string;
  /** Null is the model's default operating point. */
  readonly point: string | null;
}

/** The model and the threshold that it counts with. */
export function ModelChoice({ models, chosen, onChange }: { models: readonly ModelOffered[]; chosen: Chosen; onChange(chosen: Chosen): void }) {
  const model = models.find((one) => one.name === chosen.model) ?? models[0];
  if (!model) return null;
  const name = chosen.point ?? model.default_point;
  const point = model.points.find((one) => one.name === name);
  return (
    <>
      <label class="field">
        <span>Model</span>
        <select value={model.name} onChange={(event) => onChange({ model: event.currentTarget.value, point: null })}>
          {models.map((one) => (
            <option key={one.name} value={one.name}>
              {one.title}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Operating point</span>
        <select value={name} onChange={(event) => onChange({ model: model.name, point: event.currentTarget.value })}>
          {model.points.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name} (score above {one.threshold.toFixed(2)})
            </option>
          ))}
        </select>
      </label>
      {point && (
        <p class="soft">
          {point.criterion}, chosen on {point.chosen_on}. You can still move the threshold when you look at the case.
        </p>
      )}
    </>
  );
}
