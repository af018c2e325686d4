import { useState } from "preact/hooks";
import type { WindowShape } from "../../api/types";
import { Section } from "../../ui/panel";
import { formatMm2 } from "../../viewer/area";
import type { CaseState, Over } from "./case-state";

const SHAPES: readonly { title: string; shape: WindowShape; aspect?: string }[] = [
  { title: "4:3", shape: "rectangle", aspect: "4:3" },
  { title: "Square", shape: "rectangle", aspect: "1:1" },
  { title: "Circle", shape: "circle" },
];
const AREAS = [2, 2.37] as const;
const OBJECTIVE = 40;

/** What is counted over: the shape of the window, and its area in mm² or in fields of a microscope. */
export function WindowChoice({ state }: { state: CaseState }) {
  const found = state.found.value;
  if (!found) return null;
  const over = state.over.value;
  const shape = state.shape.value;
  const aspect = over.aspect ?? found.window.aspect;
  const fields = over.fields ?? (over.area_mm2 === undefined ? found.window.fields : null);
  const area = over.area_mm2 ?? (over.fields ? null : found.window.area_mm2);
  const set = (change: Partial<Over>) => {
    const { area_mm2: _area, fields: _fields, ...rest } = over;
    void state.countOver({ ...("area_mm2" in change || "fields" in change ? rest : over), ...change });
  };
  return (
    <Section title="Window">
      <div class="segments" role="group" aria-label="Shape of the window">
        {SHAPES.map((one) => (
          <button
            key={one.title}
            type="button"
            aria-pressed={shape === one.shape && (one.aspect === undefined || aspect === one.aspect)}
            onClick={() => set({ shape: one.shape, ...(one.aspect ? { aspect: one.aspect } : {}) })}
          >
            {one.title}
          </button>
        ))}
      </div>
      <div class="segments" role="group" aria-label="Area of the window">
        {AREAS.map((one) => (
          <button key={one} type="button" aria-pressed={!fields && area === one} onClick={() => set({ area_mm2: one })}>
            {one} mm²
          </button>
        ))}
        {!fields && area !== null && !AREAS.some((one) => one === area) && (
          <button type="button" aria-pressed={true}>
            {formatMm2(area)} mm²
          </button>
        )}
      </div>
      <OwnFields key={fields ? `${fields.number} ${fields.diameter_mm}` : ""} fields={fields} onSet={(chosen) => set({ fields: chosen })} />
    </Section>
  );
}

interface FieldsProperties {
  fields: { readonly number: number; readonly diameter_mm: number } | null;
  onSet(fields: { number: number; diameter_mm: number }): void;
}

/** Fields of one's own microscope: how many, and the field number of the eyepiece. */
function OwnFields({ fields, onSet }: FieldsProperties) {
  const [number, setNumber] = useState(fields?.number ?? 10);
  const [fieldNumber, setFieldNumber] = useState(fields ? Number((fields.diameter_mm * OBJECTIVE).toFixed(2)) : 22);
  const [objective, setObjective] = useState(OBJECTIVE);
  const diameter = fieldNumber / objective;
  const isMeant = number >= 1 && Number.isInteger(number) && diameter > 0.02 && diameter <= 30;
  return (
    <details class="own-fields" open={fields !== null}>
      <summary>{fields ? `${fields.number} fields of ${fields.diameter_mm.toFixed(2)} mm` : "Fields of my microscope"}</summary>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          if (isMeant) onSet({ number, diameter_mm: diameter });
        }}
      >
        <label class="field">
          <span>Fields</span>
          <input type="number" min={1} max={500} step={1} value={number} onInput={(event) => setNumber(event.currentTarget.valueAsNumber)} />
        </label>
        <label class="field">
          <span>Field no., mm</span>
          <input type="number" min={1} max={60} step="any" value={fieldNumber} onInput={(event) => setFieldNumber(event.currentTarget.valueAsNumber)} />
        </label>
        <label class="field">
          <span>Objective</span>
          <input type="number" min={1} max={200} step="any" value={objective} onInput={(event) => setObjective(event.currentTarget.valueAsNumber)} />
        </label>
        <button type="submit" disabled={!isMeant} aria-pressed={fields?.number === number && Math.abs(fields.diameter_mm - diameter) < 1e-9}>
          {isMeant ? `Count over ${formatMm2((number * Math.PI * diameter * diameter) / 4)} mm²` : "Count"}
        </button>
      </form>
    </details>
  );
}

/** Windows that were kept by a name. */
export function KeptWindows({ state, onShow }: { state: CaseState; onShow(): void }) {
  const [name, setName] = useState("");
  const windows = state.windows.value;
  const keep = async (event: Event) => {
    event.preventDefault();
    await state.keepWindow(name.trim() || `Window ${windows.length + 1}`);
    setName("");
  };
  return (
    <Section title="Kept windows">
      {windows.length > 0 && (
        <ul class="list">
          {windows.map((one) => (
            <li key={one.name} class="entry">
              <button
                type="button"
                class="plain grow"
                aria-current={state.windowName.value === one.name}
                onClick={() => void state.goToWindow(one).then(onShow)}
              >
                <bdi>{one.name}</bdi>
              </button>
              <button
                type="button"
                class="plain icon"
                aria-label={`Drop the window ${one.name}`}
                title="Drop this window"
                onClick={() => void state.dropWindow(one.name)}
              >
                ✕
              </button>
            </li>
          ))}
        </ul>
      )}
      <form class="row" onSubmit={(event) => void keep(event)}>
        <input
          value={name}
          maxLength={80}
          placeholder={`Window ${windows.length + 1}`}
          aria-label="Name of the window"
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" disabled={!state.box.value}>
          Keep
        </button>
      </form>
    </Section>
  );
}
