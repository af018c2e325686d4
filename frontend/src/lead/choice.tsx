interface Properties {
  legend: string;
  options: readonly { id: number; name: string }[];
  chosen: ReadonlySet<number>;
  onChange(chosen: ReadonlySet<number>): void;
}

/** Several of a list, as boxes to tick. */
export function Choice({ legend, options, chosen, onChange }: Properties) {
  const toggle = (id: number) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChange(next);
  };
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      <div>
        {options.map((option) => (
          <label key={option.id} class="check">
            <input type="checkbox" checked={chosen.has(option.id)} onChange={() => toggle(option.id)} />
            <bdi class="clip">{option.name}</bdi>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
