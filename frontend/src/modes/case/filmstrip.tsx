import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Cell } from "../../viewer/cell-table";
import { cropUrl, type OpenSlide } from "../../viewer/picture";
import type { CaseState, State } from "./case-state";
import type { Order } from "./order";

/** Side of what a crop shows: a figure with its neighbours. */
const CROP_UM = 40;
/** More are not shown at once: nobody looks through them. */
const SHOWN_MAX = 400;

const SIGNS: Readonly<Record<State, string>> = { accepted: "✓", rejected: "✕", atypical: "A", unsure: "?", added: "+", seen: "", new: "" };
const WORDS: Readonly<Record<State, string>> = {
  accepted: "accepted",
  rejected: "rejected",
  atypical: "atypical",
  unsure: "unsure",
  added: "added by hand",
  seen: "looked at",
  new: "not looked at",
};

interface Properties {
  state: CaseState;
  slide: OpenSlide;
  /** The candidates of the window, in order. */
  cells: readonly Cell[];
  order: Signal<Order>;
  onChoose(cell: Cell): void;
}

/** The candidates of the window as crops, with what became of each. */
export function Filmstrip({ state, slide, cells, order, onChoose }: Properties) {
  const list = useRef<HTMLUListElement>(null);
  const isFolded = useSignal(false);
  const selected = state.selected.value;
  const states = cells.map((cell) => state.stateOf(cell));
  const proposed = cells.filter((cell) => cell.score !== null);
  const looked = proposed.filter((cell) => state.stateOf(cell) !== "new").length;
  const added = cells.length - proposed.length;
  const isSearched = state.found.value?.is_searched ?? true;
  const size = Math.round(CROP_UM / (slide.mpp ?? 0.25));
  useEffect(() => {
    list.current?.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [selected, order.value]);
  return (
    <section class="film" aria-label="Candidates in the window">
      <header>
        <b class="looked" aria-live="polite">{`${looked} of ${proposed.length} looked at${added ? `, ${added} added` : ""}`}</b>
        <div class="segments" role="group" aria-label="Order of the candidates">
          {(["score", "place"] as const).map((one) => (
            <button key={one} type="button" aria-pressed={order.value === one} onClick={() => (order.value = one)}>
              {one === "score" ? "By score" : "By place"}
            </button>
          ))}
        </div>
        {cells.length > SHOWN_MAX && <small>{`the first ${SHOWN_MAX} are shown`}</small>}
        <button type="button" class="plain fold" aria-expanded={!isFolded.value} onClick={() => (isFolded.value = !isFolded.value)}>
          {isFolded.value ? "Show crops" : "Hide crops"}
        </button>
      </header>
      {!isFolded.value && (
        <ul ref={list}>
          {cells.slice(0, SHOWN_MAX).map((cell, at) => (
            <li key={cell.id} class={states[at]}>
              <button
                type="button"
                aria-current={cell.id === selected}
                aria-label={`Candidate ${at + 1}, ${cell.score === null ? "" : `score ${cell.score.toFixed(2)}, `}${WORDS[states[at]!]}`}
                onClick={() => onChoose(cell)}
              >
                <img src={cropUrl(slide.id, cell.x, cell.y, size)} width={76} height={76} alt="" loading="lazy" />
                {SIGNS[states[at]!] && <span class="sign">{SIGNS[states[at]!]}</span>}
                <span class="score">{cell.score === null ? "added" : cell.score.toFixed(2)}</span>
              </button>
            </li>
          ))}
          {cells.length === 0 && (
            <li class="none">
              {isSearched ? "No candidate lies in this window above the threshold." : "This slide was not searched: there are no candidates."}
            </li>
          )}
        </ul>
      )}
    </section>
  );
}
