interface NumberProperties {
  title: string;
  value: number;
  min: number;
  max?: number;
  step?: number;
  onChange(value: number): void;
}

/** A number with its name above it. */
export function NumberField({ title, value, min, max, step = 1, onChange }: NumberProperties) {
  return (
    <label class="field narrow">
      <span>{title}</span>
      <input
        type="number"
        min={min}
        {...(max === undefined ? {} : { max })}
        step={step}
        value={value}
        onInput={(event) => Number.isFinite(event.currentTarget.valueAsNumber) && onChange(event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}
