import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { People, Person, ReviewOfSearched, Slide, SlideSearch } from "../api/types";
import { Choice } from "../lead/choice";
import { enter, me, sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { Empty } from "../ui/panel";
import { say } from "../ui/toast";
import { ModelChoice, type Chosen } from "./model-choice";
import { isActive, searches, startSearch, watchSearches } from "./searches";
import { SearchActions } from "./slide-search";
import { describeSearch } from "./words";

/** Which slides are searched for mitotic figures, and what became of it. */
export function SearchPage() {
  const [chosen, choose] = useState<Chosen>({ model: "", point: null });
  const [ticked, tick] = useState<ReadonlySet<number>>(new Set());
  const [open, setOpen] = useState<"start" | "review" | null>(null);
  useEffect(() => watchSearches(), []);
  const found = searches.value;
  const slides = (me.value?.slides ?? []).filter((slide) => slide.state === "ok");
  if (!found) return null;
  if (slides.length === 0) return <Empty title="The study has no slide that can be searched." />;
  const of = new Map(found.searches.map((search) => [search.slide, search]));
  const unsearched = slides.filter((slide) => !of.has(slide.id)).map((slide) => slide.id);
  const done = found.searches.filter((search) => search.state === "done").map((search) => search.slide);
  const model = chosen.model || (found.models[0]?.name ?? "");
  const toggle = (slide: number) => {
    const next = new Set(ticked);
    if (!next.delete(slide)) next.add(slide);
    tick(next);
  };
  const isAll = ticked.size === slides.length;
  const start = async () => {
    if (await startSearch([...ticked], model, chosen.point)) {
      tick(new Set());
      setOpen(null);
    }
  };
  return (
    <>
      <div class="bar wrap">
        <button type="button" class="primary" disabled={ticked.size === 0} onClick={() => setOpen("start")}>
          {ticked.size === 0 ? "Search" : `Search ${ticked.size} ${ticked.size === 1 ? "slide" : "slides"} …`}
        </button>
        {unsearched.length > 0 && (
          <button type="button" onClick={() => tick(new Set(unsearched))}>
            Tick the {unsearched.length} not searched yet
          </button>
        )}
        {done.length > 0 && (
          <button type="button" onClick={() => setOpen("review")}>
            Review the candidates …
          </button>
        )}
        <span class="grow" />
        <SearchActions searches={found.searches} />
      </div>
      <Queue searches={found.searches} />
      <table>
        <thead>
          <tr>
            <th scope="col">
              <input type="checkbox" aria-label="All slides" checked={isAll} onChange={() => tick(isAll ? new Set() : new Set(slides.map((one) => one.id)))} />
            </th>
            <th scope="col">Slide</th>
            <th scope="col">Search</th>
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          {slides.map((slide) => (
            <Row key={slide.id} slide={slide} search={of.get(slide.id) ?? null} isTicked={ticked.has(slide.id)} onTick={() => toggle(slide.id)} />
          ))}
        </tbody>
      </table>
      {open === "start" && (
        <Dialog title="Search for mitotic figures" onClose={() => setOpen(null)}>
          <form
            class="form"
            onSubmit={(event) => {
              event.preventDefault();
              void start();
            }}
          >
            <ModelChoice models={found.models} chosen={{ ...chosen, model }} onChange={choose} />
            <div class="actions">
              <button type="submit" class="primary">
                Search {ticked.size} {ticked.size === 1 ? "slide" : "slides"}
              </button>
            </div>
          </form>
        </Dialog>
      )}
      {open === "review" && <ReviewSearched slides={done} onClose={() => setOpen(null)} />}
    </>
  );
}

/** How far the whole queue is. */
function Queue({ searches: all }: { searches: readonly SlideSearch[] }) {
  const active = all.filter(isActive);
  if (active.length === 0) return null;
  const running = active.find((search) => search.state === "running");
  return (
    <p class="soft" aria-live="polite">
      {active.length} {active.length === 1 ? "slide" : "slides"} in the queue
      {running ? `; at work: ${describeSearch(running)}` : ""}
    </p>
  );
}

function Row({ slide, search, isTicked, onTick }: { slide: Slide; search: SlideSearch | null; isTicked: boolean; onTick(): void }) {
  return (
    <tr>
      <td>
        <input type="checkbox" aria-label={`Tick ${slide.name}`} checked={isTicked} onChange={onTick} />
      </td>
      <th scope="row">
        <bdi>{slide.name}</bdi>
      </th>
      <td>
        {search === null ? (
          <span class="soft">not searched</span>
        ) : (
          <span class="gauge">
            {search.state !== "done" && search.state !== "failed" && (
              <progress max={search.of_mm2 || 1} value={search.done_mm2} aria-label={`Searched of ${slide.name}`} />
            )}
            <span class={search.state === "failed" ? "warn" : ""}>{describeSearch(search)}</span>
          </span>
        )}
      </td>
      <td>
        <div class="row tight end">
          {search?.state === "done" && (
            <>
              <a class="button" href={`/api/slides/${slide.id}/search/report.html`} target="_blank" rel="noopener">
                Report
              </a>
              <a class="button" href={`/api/slides/${slide.id}/search/candidates.csv`} download="">
                CSV
              </a>
            </>
          )}
          {search && <SearchActions searches={[search]} />}
        </div>
      </td>
    </tr>
  );
}

function ReviewSearched({ slides, onClose }: { slides: readonly number[]; onClose(): void }) {
  const [name, setName] = useState("candidates");
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [raters, setRaters] = useState<ReadonlySet<number>>(new Set());
  const [isLow, setLow] = useState(false);
  useEffect(() => {
    get<People>("/api/raters").then((answer) => setPeople(answer.raters.filter((one) => one.role !== null)), sayError);
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    const body = { name, slides, raters: [...raters], threshold: isLow ? 0 : null };
    const answer = await write<ReviewOfSearched>("POST", "/api/searches/review", body);
    if (!answer) return;
    say(`${answer.cells} candidates to review; ${answer.below} below the threshold and ${answer.known} labelled or asked of already are left out.`);
    onClose();
    void enter();
  };
  return (
    <Dialog title="Review the candidates" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <p class="soft">
          What was found on {slides.length} searched {slides.length === 1 ? "slide" : "slides"} and nobody has labelled, read blinded, high scores first.
        </p>
        <label class="field">
          <span>Name of the review</span>
          <input value={name} maxLength={150} required onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={isLow} onChange={() => setLow(!isLow)} />
          Also candidates below the threshold of the search (many more, hardly any figures)
        </label>
        <Choice legend="Raters" options={people} chosen={raters} onChange={setRaters} />
        <div class="actions">
          <button type="submit" class="primary" disabled={raters.size === 0 || name.trim() === ""}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
