import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/request";
import type { ProposedSoFar, SlideSearch } from "../api/types";
import { sayError } from "../state/session";
import { Section } from "../ui/panel";
import { ModelChoice, type Chosen } from "./model-choice";
import { changeSearch, searches, searchOf, startSearch, watchSearches } from "./searches";
import { describeSearch } from "./words";

const PROPOSALS_MS = 4000;

interface Properties {
  slide: number;
  /** Called when the search has just ended and its candidates are in the study. */
  onDone(): void;
  /** Called with what the first network proposes so far, while the slide is searched. */
  onProposals?(proposed: ProposedSoFar): void;
}

const NOTHING: ProposedSoFar = { x: [], y: [], score: [] };

/** Searches one slide: model, start, progress, pause; candidates appear while it runs. */
export function SlideSearchSection({ slide, onDone, onProposals }: Properties) {
  const [chosen, choose] = useState<Chosen>({ model: "", point: null });
  useEffect(() => watchSearches(), [slide]);
  const search = searchOf(slide);
  const before = useRef<SlideSearch["state"] | null>(null);
  useEffect(() => {
    const [was, now] = [before.current, search?.state ?? null];
    before.current = now;
    if (now === "done" && was !== null && was !== "done") {
      onProposals?.(NOTHING);
      onDone();
    }
  }, [search?.state]);
  useEffect(() => {
    if (search?.state !== "running" || !onProposals) return;
    const ask = () => get<ProposedSoFar>(`/api/slides/${slide}/proposals`).then(onProposals, sayError);
    const timer = setInterval(() => void ask(), PROPOSALS_MS);
    return () => clearInterval(timer);
  }, [slide, search?.state]);
  const models = searches.value?.models;
  if (!models) return null;
  const model = chosen.model || (models[0]?.name ?? "");
  if (search === null || search.state === "done") {
    return (
      <Section title="Search for mitotic figures">
        <ModelChoice models={models} chosen={{ ...chosen, model }} onChange={choose} />
        <button type="button" class="primary" onClick={() => void startSearch([slide], model, chosen.point)}>
          Search this slide
        </button>
      </Section>
    );
  }
  return (
    <Section title="Search for mitotic figures">
      <p class={search.state === "failed" ? "warn" : "soft"} aria-live="polite">
        {describeSearch(search)}
      </p>
      {search.state !== "failed" && <progress max={search.of_mm2 || 1} value={search.done_mm2} aria-label="Searched" />}
      <SearchActions searches={[search]} />
      {search.state === "running" && <p class="soft">You can label meanwhile. Dots on the slide are first proposals; most of them are no figures.</p>}
    </Section>
  );
}

/** Pause, resume and cancel what of some searches can be. */
export function SearchActions({ searches: some }: { searches: readonly SlideSearch[] }) {
  const of = (...states: SlideSearch["state"][]) => some.filter((one) => states.includes(one.state)).map((one) => one.slide);
  const running = of("running", "waiting");
  const stopped = of("paused", "failed");
  const open = [...running, ...stopped];
  if (open.length === 0) return null;
  return (
    <div class="row tight">
      {running.length > 0 && (
        <button type="button" onClick={() => void changeSearch(running, "pause")}>
          Pause
        </button>
      )}
      {stopped.length > 0 && (
        <button type="button" onClick={() => void changeSearch(stopped, "resume")}>
          Resume
        </button>
      )}
      <button type="button" onClick={() => void changeSearch(open, "cancel")}>
        Cancel
      </button>
    </div>
  );
}
