import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get } from "../api/request";
import type { AllSlideFacts, SlideFacts } from "../api/types";
import { me, sayError } from "../state/session";
import { clicked, filtered, isFiltered, listed, NO_FILTER, NO_SPLIT, type SlideFilter } from "./slide-filter";

interface Properties {
  chosen: ReadonlySet<number>;
  onChange(chosen: ReadonlySet<number>): void;
}

/** Slides of a study to choose from, also of hundreds: found by name, case, tags and what is there; Shift takes a range. */
export function SlidePicker({ chosen, onChange }: Properties) {
  const [facts, setFacts] = useState<readonly SlideFacts[]>([]);
  const [filter, setFilter] = useState<SlideFilter>(NO_FILTER);
  const last = useRef<number | null>(null);
  useEffect(() => {
    get<AllSlideFacts>("/api/study/slides").then(({ slides }) => setFacts(slides), sayError);
  }, []);
  const all = useMemo(() => listed(me.value?.slides ?? [], facts), [facts]);
  const shown = useMemo(() => filtered(all, filter), [all, filter]);
  const splits = [...new Set(facts.map((one) => one.split))].filter((one) => one !== null).sort();
  const set = (part: Partial<SlideFilter>) => setFilter({ ...filter, ...part });
  const click = (id: number, isRange: boolean) => {
    onChange(clicked(chosen, shown, id, { last: last.current, isRange }));
    last.current = id;
  };
  return (
    <fieldset class="picker">
      <legend>
        Slides: {chosen.size.toLocaleString("en")} of {all.length.toLocaleString("en")} chosen
      </legend>
      <input
        type="search"
        value={filter.query}
        placeholder="Name, case or tag"
        aria-label="Find slides"
        onInput={(event) => set({ query: event.currentTarget.value })}
        onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
      />
      <div class="row wrap">
        <select
          class="small"
          aria-label="Candidates"
          value={filter.candidates}
          onChange={(event) => set({ candidates: event.currentTarget.value as SlideFilter["candidates"] })}
        >
          <option value="">Candidates: any</option>
          <option value="with">with candidates</option>
          <option value="without">without candidates</option>
        </select>
        <select
          class="small"
          aria-label="Labels"
          value={filter.labels}
          onChange={(event) => set({ labels: event.currentTarget.value as SlideFilter["labels"] })}
        >
          <option value="">Labels: any</option>
          <option value="with">labelled</option>
          <option value="without">not labelled</option>
        </select>
        {splits.length > 0 && (
          <select class="small" aria-label="Split" value={filter.split} onChange={(event) => set({ split: event.currentTarget.value })}>
            <option value="">Split: any</option>
            {splits.map((one) => (
              <option key={one}>{one}</option>
            ))}
            <option value={NO_SPLIT}>in no split</option>
          </select>
        )}
      </div>
      <div class="row tight">
        <button type="button" disabled={shown.length === 0} onClick={() => onChange(new Set(shown.map((one) => one.id)))}>
          {isFiltered(filter) ? `Only these ${shown.length.toLocaleString("en")}` : "All"}
        </button>
        <button type="button" disabled={chosen.size === 0} onClick={() => onChange(new Set())}>
          None
        </button>
        <small>Shift takes a range</small>
      </div>
      <ul>
        {shown.map((slide) => (
          <li key={slide.id}>
            <label class="check">
              <input type="checkbox" checked={chosen.has(slide.id)} onClick={(event) => click(slide.id, event.shiftKey)} />
              <bdi class="clip">{slide.name}</bdi>
              {slide.about && <bdi class="soft clip">{slide.about}</bdi>}
            </label>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p class="soft">No slide is like that.</p>}
    </fieldset>
  );
}
