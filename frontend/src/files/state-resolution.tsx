import { useState } from "preact/hooks";
import type { ResolutionSet, Slide } from "../api/types";
import { enter, write } from "../state/session";

/** Asks for the µm a pixel of a slide whose file does not state it; nothing is guessed, a hint is a hint. */
export function StateResolution({ slide }: { slide: Slide }) {
  const [mpp, setMpp] = useState("");
  const hint = slide.hint_mpp;
  const nuclei = slide.hint_by_nuclei;
  const suggested = hint ?? nuclei?.mpp;
  const save = async (event: Event) => {
    event.preventDefault();
    if (await write<ResolutionSet>("PUT", `/api/slides/${slide.id}/resolution`, { mpp: Number(mpp) })) void enter();
  };
  return (
    <form class="state-resolution" onSubmit={(event) => void save(event)}>
      <label>
        µm per pixel{" "}
        <input
          type="number"
          min="0.05"
          max="5"
          step="any"
          required
          value={mpp}
          placeholder={suggested === undefined ? "0.25" : String(suggested)}
          onInput={(event) => setMpp(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Set</button>
      {hint !== null && (
        <button type="button" class="quiet" onClick={() => setMpp(String(hint))}>
          {hint} as its objective suggests
        </button>
      )}
      {nuclei !== null && (
        <button type="button" class="quiet" onClick={() => setMpp(String(nuclei.mpp))}>
          {nuclei.mpp} as the size of its nuclei suggests ({nuclei.low.toFixed(2)} to {nuclei.high.toFixed(2)})
        </button>
      )}
    </form>
  );
}
