import { signal, useSignal, type Signal } from "@preact/signals";
import { ChevronLeft, ChevronRight, Tag } from "lucide";
import { useEffect, useMemo } from "preact/hooks";
import { get } from "../api/request";
import type { ListedSlide, Round, Slide, SlideList as Answer, TagsSet } from "../api/types";
import { StateResolution } from "../files/state-resolution";
import { isLead, me, sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import {
  addressOfSlide,
  chosenSlides,
  EVERY_SLIDE,
  standings,
  tagsOf,
  typedTags,
  workOn,
  type SlideOrder,
  type SlideQuery,
  type Standing,
  type Status,
} from "./slide-query";

/** Cards of one page: what a screen or two hold, so that thousands of slides cost no more. */
const PAGE = 48;
/** Up to so many slides are seen at once. */
const FEW = 8;

const ABSENT: Record<Slide["state"], string> = {
  ok: "",
  missing: "missing",
  rejected: "cannot be read",
  unscaled: "how large is a pixel?",
};

const STATUSES: Record<Status, string> = {
  any: "Status: any",
  ok: "can be shown",
  "to do": "with cells to label",
  counted: "with a signed count",
  "no resolution": "without resolution",
  absent: "missing or unreadable",
};
const ORDERS: Record<SlideOrder, string> = { name: "by name", "to do": "most to do first", count: "highest count first", resolution: "finest first" };

interface Shelf {
  readonly query: SlideQuery;
  readonly page: number;
}

/** What is looked for is remembered, so that coming back comes back to it. */
const shelf: Signal<Shelf> = signal({ query: EVERY_SLIDE, page: 0 });

/** The slides of the study, or of a round: found by name, case, tag and state, page by page. */
export function Slides({ slides, round }: { slides: readonly Slide[]; round?: Round }) {
  const listed = useSignal<readonly ListedSlide[]>([]);
  useEffect(() => void load(listed), []);
  const all = useMemo(() => standings(slides, listed.value), [slides, listed.value]);
  const { query, page } = shelf.value;
  const found = useMemo(() => chosenSlides(all, query), [all, query]);
  const last = Math.max(Math.ceil(found.length / PAGE) - 1, 0);
  const at = Math.min(page, last);
  const shown = found.slice(at * PAGE, (at + 1) * PAGE);
  const turn = (to: number) => (shelf.value = { query, page: to });
  return (
    <>
      {(slides.length > FEW || found.length < all.length) && <Finder query={query} tags={tagsOf(all)} />}
      {found.length === 0 && <p class="soft">No slide is like that.</p>}
      <ul class="slides">
        {shown.map((one) => (
          <li key={one.slide.id}>
            {one.slide.state === "ok" ? <Shown one={one} {...(round ? { round } : {})} onTagged={() => void load(listed)} /> : <Absent slide={one.slide} />}
          </li>
        ))}
      </ul>
      {(last > 0 || found.length < all.length) && (
        <nav class="pager" aria-label="Pages of slides">
          <button type="button" class="plain icon" aria-label="Page before" disabled={at === 0} onClick={() => turn(at - 1)}>
            <Icon of={ChevronLeft} />
          </button>
          <span>{`${(at * PAGE + Math.min(1, found.length)).toLocaleString("en")} to ${(at * PAGE + shown.length).toLocaleString("en")} of ${found.length.toLocaleString("en")}`}</span>
          <button type="button" class="plain icon" aria-label="Next page" disabled={at === last} onClick={() => turn(at + 1)}>
            <Icon of={ChevronRight} />
          </button>
        </nav>
      )}
    </>
  );
}

async function load(listed: Signal<readonly ListedSlide[]>): Promise<void> {
  try {
    listed.value = (await get<Answer>("/api/slides")).slides;
  } catch (error) {
    sayError(error);
  }
}

function Finder({ query, tags }: { query: SlideQuery; tags: readonly string[] }) {
  const set = (change: Partial<SlideQuery>) => (shelf.value = { query: { ...query, ...change }, page: 0 });
  return (
    <div class="bar wrap finder" role="search" aria-label="Slides">
      <input
        type="search"
        class="grow"
        placeholder="Name, case or tag"
        aria-label="Find slides"
        value={query.text}
        onInput={(event) => set({ text: event.currentTarget.value })}
      />
      <select class="small" aria-label="Status of slides" value={query.status} onChange={(event) => set({ status: event.currentTarget.value as Status })}>
        {Object.entries(STATUSES).map(([status, words]) => (
          <option key={status} value={status}>
            {words}
          </option>
        ))}
      </select>
      {tags.length > 0 && (
        <select class="small" aria-label="Tag" value={query.tag} onChange={(event) => set({ tag: event.currentTarget.value })}>
          <option value="">Tag: any</option>
          {tags.map((tag) => (
            <option key={tag}>{tag}</option>
          ))}
        </select>
      )}
      <select class="small" aria-label="Order of slides" value={query.order} onChange={(event) => set({ order: event.currentTarget.value as SlideOrder })}>
        {Object.entries(ORDERS).map(([order, words]) => (
          <option key={order} value={order}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

function Shown({ one, round, onTagged }: { one: Standing; round?: Round; onTagged(): void }) {
  const { slide, tags, labelled, cells, count } = one;
  const isTagging = useSignal(false);
  const work = round ?? workOn(slide.id, me.value?.rounds ?? []);
  const regions = `#/regions/${slide.id}`;
  const address = `#${addressOfSlide(slide.id, me.value?.rounds ?? [], round)}`;
  return (
    <div class="card slide-card">
      <a class="whole" href={address}>
        <span class="thumb">
          <img src={`/api/slides/${slide.id}/thumbnail.jpg?size=384`} alt="" loading="lazy" />
        </span>
        <b class="title clip">
          <bdi>{slide.name}</bdi>
        </b>
      </a>
      <span class="soft">
        {slide.width?.toLocaleString("en")} × {slide.height?.toLocaleString("en")} px
        {slide.mpp === null ? <span class="warn">, no resolution</span> : `, ${slide.mpp.toFixed(3)} µm/px`}
      </span>
      {cells > 0 && (
        <span class="gauge">
          <progress max={cells} value={labelled} aria-label="Labelled" />
          {`${labelled.toLocaleString("en")} of ${cells.toLocaleString("en")} labelled`}
        </span>
      )}
      {count !== null && (
        <span>
          Count <b>{count}</b>, signed
        </span>
      )}
      <span class="tags">
        {work && !round && <a href={regions}>Regions</a>}
        {tags.map((tag) => (
          <button
            key={tag}
            type="button"
            class="tag"
            title={`Slides with “${tag}”`}
            onClick={() => (shelf.value = { query: { ...EVERY_SLIDE, tag }, page: 0 })}
          >
            <bdi>{tag}</bdi>
          </button>
        ))}
        {isLead() && (
          <button type="button" class="plain icon small" aria-label={`Tags of ${slide.name}`} title="Tags" onClick={() => (isTagging.value = true)}>
            <Icon of={Tag} size={14} />
          </button>
        )}
      </span>
      {isTagging.value && <Tagging one={one} onClose={() => (isTagging.value = false)} onTagged={onTagged} />}
    </div>
  );
}

function Tagging({ one, onClose, onTagged }: { one: Standing; onClose(): void; onTagged(): void }) {
  const typed = useSignal(one.tags.join(", "));
  const save = async (event: Event) => {
    event.preventDefault();
    const done = await write<TagsSet>("PUT", `/api/slides/${one.slide.id}/tags`, { tags: typedTags(typed.value) });
    if (!done) return;
    onTagged();
    onClose();
  };
  return (
    <Dialog title={`Tags of ${one.slide.name}`} onClose={onClose}>
      <form class="form" onSubmit={(event) => void save(event)}>
        <label class="field">
          <span>Tags, separated by commas</span>
          <input value={typed.value} placeholder="pilot, grade 2" onInput={(event) => (typed.value = event.currentTarget.value)} autofocus />
        </label>
        <div class="actions">
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Absent({ slide }: { slide: Slide }) {
  return (
    <div class="card slide-card absent">
      <span class="thumb">{ABSENT[slide.state]}</span>
      <b class="title clip">
        <bdi>{slide.name}</bdi>
      </b>
      <span class="warn">
        {slide.reason}
        {slide.mend ? `; ${slide.mend}` : ""}
      </span>
      {slide.state === "unscaled" && isLead() && <StateResolution slide={slide} />}
    </div>
  );
}
