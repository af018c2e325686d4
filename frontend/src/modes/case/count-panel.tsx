import type { Case, Certainty, Counted } from "../../api/types";
import { Section } from "../../ui/panel";
import { formatMm2 } from "../../viewer/area";
import type { CaseState } from "./case-state";

/** The count with what has to be known to believe it. */
export function CountPanel({ state, onHotSpot, onShow }: { state: CaseState; onHotSpot(): void; onShow(): void }) {
  const found = state.found.value;
  const counted = state.counted.value;
  const isBare = found !== null && !found.is_searched;
  const byHand = counted?.looked_at.added ?? 0;
  const isEmpty = isBare && byHand === 0;
  const note = state.problem.value ?? (isEmpty ? null : counted?.note);
  return (
    <Section title="Mitotic count">
      <p class="count" aria-live="polite">
        {counted && !isEmpty ? counted.count : "–"}
      </p>
      <p class="soft">{found ? placeOf(found, counted) : "Loading …"}</p>
      {isBare && (
        <p class="note">
          <b>This slide was not searched.</b>{" "}
          {byHand === 0 ? "Nothing is counted yet: figures that you mark count." : "Only figures that were marked by hand are counted."}
        </p>
      )}
      {counted && !isEmpty && <Details counted={counted} />}
      {note && <p class="note">{note}</p>}
      <div class="row">
        <button type="button" class="grow" onClick={onHotSpot} title="Window back to the hot spot (H)">
          Find the hot spot
        </button>
        <button type="button" onClick={onShow} title="Show the whole window (W)">
          Show
        </button>
      </div>
    </Section>
  );
}

function placeOf(found: Case, counted: Counted | null): string {
  const shape = counted?.shape === "circle" ? "circle" : "";
  const area = formatMm2(counted?.area_mm2 ?? found.window.area_mm2);
  return `mitotic figures in ${area} mm²${shape ? ` (${shape})` : ""}`;
}

function Details({ counted }: { counted: Counted }) {
  const { covered_mm2: covered, certainty, atypical, left_out: leftOut, looked_at: looked, count } = counted;
  const within = certainty.density?.within ?? "tissue";
  return (
    <dl class="details">
      <dt>{within}</dt>
      <dd title="What of the window counts, and figures per mm² of it">{`${formatMm2(covered)} mm²${covered > 0 ? `, ${perMm2(count / covered)}/mm²` : ""}`}</dd>
      {leftOut > 0 && (
        <>
          <dt>left out</dt>
          <dd title="They would count by score or label, but lie outside of tissue or tumour, or in an exclusion.">{`${leftOut} outside`}</dd>
        </>
      )}
      <Expected certainty={certainty} />
      {atypical !== null && (
        <>
          <dt>atypical</dt>
          <dd title="By your label, or else by the detector (an aid)">{atypical}</dd>
        </>
      )}
      {looked.added > 0 && (
        <>
          <dt>added by hand</dt>
          <dd>{looked.added}</dd>
        </>
      )}
      <dt>seen</dt>
      <dd title="Shown on the screen at 10× or more">{`${formatMm2(looked.seen_mm2)} of ${formatMm2(counted.area_mm2)} mm²`}</dd>
    </dl>
  );
}

/** What is expected in the window and on all that was searched; nothing where scores are no probabilities. */
function Expected({ certainty }: { certainty: Certainty }) {
  const { expected, interval, density } = certainty;
  if (expected === null || interval === null) return null;
  const title = "Interval of 95 %: which candidates are figures, and the chance of sampling. What was never proposed is not covered.";
  return (
    <>
      <dt>expected</dt>
      <dd title={title}>{`${expected.toFixed(1)} (${interval[0].toFixed(1)} to ${interval[1].toFixed(1)})`}</dd>
      {density?.interval && density.expected_per_mm2 !== null && (
        <>
          <dt>on all</dt>
          <dd title={title}>{`${perMm2(density.expected_per_mm2)}/mm² (${perMm2(density.interval[0])} to ${perMm2(density.interval[1])})`}</dd>
        </>
      )}
    </>
  );
}

function perMm2(density: number): string {
  return density.toPrecision(3);
}

/** Above which score candidates count, and who says so. */
export function Threshold({ state }: { state: CaseState }) {
  const found = state.found.value;
  const now = state.threshold.value;
  if (!found) return null;
  const isStated = now !== null && now === found.threshold;
  const of = found.threshold_of === "search" ? `operating point of ${found.search?.model ?? "the detector"}` : "as the round states";
  return (
    <Section title={now === null ? "Threshold: none" : `Threshold ${written(now)}`}>
      <input
        type="range"
        min={Math.floor((found.floor ?? 0) * 100) / 100}
        max={1}
        step="any"
        value={now ?? found.floor ?? 0}
        aria-label="Threshold of the model's score"
        aria-valuetext={now === null ? "none" : written(now)}
        onInput={(event) => state.setThreshold(Math.round(event.currentTarget.valueAsNumber * 1000) / 1000)}
      />
      <div class="row">
        <p class="soft grow">
          {now === null
            ? "Nobody states one: every candidate counts, unless you reject it."
            : isStated
              ? `The ${of}.`.replace("The as", "As")
              : "Chosen by you."}
        </p>
        {!isStated && found.threshold !== null && (
          <button type="button" onClick={() => state.setThreshold(found.threshold)} title={`The ${of}`.replace("The as", "As")}>
            Back to {written(found.threshold)}
          </button>
        )}
      </div>
    </Section>
  );
}

function written(threshold: number): string {
  return threshold.toFixed(3).replace(/0$/, "");
}
