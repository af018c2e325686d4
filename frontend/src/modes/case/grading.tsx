import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "../../api/request";
import type { ChosenScheme, Round, RoundSet, Schemes } from "../../api/types";
import { isLead, sayError, write } from "../../state/session";
import { Section } from "../../ui/panel";
import { formatMm2 } from "../../viewer/area";
import type { CaseState, Over } from "./case-state";

/** Of a field number of 22 at 40×: ten such fields are 2.38 mm². */
const DIAMETER_MM = 0.55;

/** What the scheme that the study has chosen makes of the count: an aid, not a grade. */
export function Grading({ state, round }: { state: CaseState; round: Round }) {
  const scheme = state.counted.value?.certainty.scheme ?? null;
  const chosen = state.found.value?.scheme ?? null;
  const reason = state.counted.value?.not_graded ?? scheme?.reason ?? null;
  if (!scheme && !reason && !isLead()) return null;
  return (
    <Section title="Grading aid">
      {scheme && (
        <>
          <p class="soft" title={scheme.source}>
            {scheme.title}, over {formatMm2(scheme.area_mm2)} mm²
          </p>
          <table class="bands">
            <tbody>
              {Object.entries(scheme.bands).map(([name, [first, last]]) => (
                <tr key={name} aria-current={name === scheme.band_of_count ? "true" : undefined}>
                  <th scope="row">{name}</th>
                  <td class="number">{said(first ?? 0, last ?? null)}</td>
                  <td class="number">{share(scheme.grades?.[name])}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p class="soft">
            {scheme.aid} {scheme.note}
          </p>
        </>
      )}
      {reason && <p class="note">{sentence(reason)}</p>}
      {chosen && !scheme && state.counted.value && (
        <button type="button" onClick={() => void state.countOver(overOf(chosen))}>
          Count over {formatMm2(chosen.area_mm2)} mm²
        </button>
      )}
      {isLead() && <ChooseScheme state={state} round={round} />}
    </Section>
  );
}

function ChooseScheme({ state, round }: { state: CaseState; round: Round }) {
  const known = useSignal<Schemes | null>(null);
  useEffect(() => {
    get<Schemes>("/api/schemes").then((answer) => (known.value = answer), sayError);
  }, []);
  const options = (known.value?.schemes ?? []).flatMap((scheme) =>
    scheme.over.map((over) => ({
      value: `${scheme.name} ${over.diameter_mm ?? ""}`,
      name: scheme.name,
      title: scheme.over.length > 1 ? `${scheme.title}, ${over.text}` : scheme.title,
      /** The source states no size of its fields: the user does. */
      isOpen: over.needs_diameter && over.diameter_mm === null,
      diameter: over.diameter_mm,
    })),
  );
  const chosen = state.found.value?.scheme ?? null;
  const now = options.find((one) => one.name === chosen?.name && (one.diameter === null || one.diameter === chosen.fields?.diameter_mm));
  const field = useSignal<number>(DIAMETER_MM);
  useEffect(() => {
    if (chosen?.fields) field.value = chosen.fields.diameter_mm;
  }, [chosen]);
  const choose = async (value: string) => {
    const option = options.find((one) => one.value === value);
    const diameter = option?.isOpen ? field.value : option?.diameter;
    const settings = option ? { scheme: option.name, ...(diameter ? { field_diameter_mm: diameter } : {}) } : { scheme: "" };
    if (await write<RoundSet>("PUT", `/api/rounds/${round.id}`, { settings })) await state.open();
  };
  return (
    <>
      <label class="field">
        <span>Scheme of this round</span>
        <select value={now?.value ?? ""} onChange={(event) => void choose(event.currentTarget.value)}>
          <option value="">None</option>
          {options.map((one) => (
            <option key={one.value} value={one.value}>
              {one.title}
            </option>
          ))}
        </select>
      </label>
      {now?.isOpen && (
        <label class="field">
          <span>Diameter of its fields, mm</span>
          <input
            type="number"
            min={0.05}
            max={5}
            step="any"
            value={field.value}
            onChange={(event) => {
              field.value = event.currentTarget.valueAsNumber;
              if (field.value > 0) void choose(now.value);
            }}
          />
        </label>
      )}
    </>
  );
}

/** What a scheme counts over, in the shape that the round states. */
function overOf({ area_mm2, fields }: ChosenScheme): Over {
  return fields ? { fields } : { area_mm2 };
}

function said(first: number, last: number | null): string {
  if (last === null) return `≥ ${first}`;
  return last > first ? `${first}–${last}` : `${first}`;
}

function share(of: number | undefined): string {
  return of === undefined ? "" : `${Math.round(100 * of)} %`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}
