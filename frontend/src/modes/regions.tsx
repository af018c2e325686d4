import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { get } from "../api/request";
import type { Region, RegionKind, RegionSet, Regions as RegionList } from "../api/types";
import { useCommands } from "../keys/commands";
import { History } from "../state/history";
import { placeOf, route } from "../state/route";
import { keep, sayError } from "../state/session";
import { Panel, Section, TurnBack } from "../ui/panel";
import { formatMm2 } from "../viewer/area";
import { BoxLayer } from "../viewer/box-layer";
import { pictureOf, type OpenSlide } from "../viewer/picture";
import { RegionsLayer, type Draft as Polygon } from "../viewer/regions-layer";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import { Interests } from "./interests";
import { area } from "./polygon";
import { PolygonTool } from "./polygon-tool";

/** Tumour and exclusions of a slide as polygons with their area, and regions of interest to export. */
export function Regions({ slide }: { slide: OpenSlide }) {
  const path = `/api/slides/${slide.id}/regions`;
  const listing = useSignal<RegionList>({ regions: [], area_mm2: null });
  /** The region at work: one of the list, or 0 for a new one; null where none is. */
  const edited = useSignal<Region | 0 | null>(null);
  const drawn = useSignal(0);
  const picture = useMemo(() => pictureOf(slide), [slide.id]);
  const layer = useMemo(() => new RegionsLayer(), []);
  const boxes = useMemo(() => new BoxLayer(), []);
  const view = useRef<SlideView | null>(null);
  const viewReady = useSignal<SlideView | null>(null);
  const polygons = useRef<PolygonTool | null>(null);
  const history = useMemo(() => new History(), [path]);
  /** Of the polygon at work: corner by corner. */
  const strokes = useSignal(new History());
  /** Polygons that are saved here and not yet acknowledged: they stay in view, whatever is drawn next. */
  const unsent = useRef(new Set<Polygon>());
  /** The number of the last change of a region that this page made or saw. */
  const seen = useRef(new Map<number, number>());

  const load = async () => {
    try {
      listing.value = await get<RegionList>(path);
      show();
    } catch (error) {
      sayError(error);
    }
  };
  const show = () => {
    const busy = edited.value === 0 ? null : edited.value?.id;
    const listed = listing.value.regions.filter((one) => one.id !== busy).map((one) => ({ kind: one.kind, vertices: points(one) }));
    layer.outlines = [...listed, ...[...unsent.current].filter((one) => one !== layer.draft)];
    view.current?.redraw();
  };
  useEffect(() => void load(), [path]);
  useEffect(() => {
    const [x, y] = placeOf(route.value);
    if (x !== undefined && y !== undefined) viewReady.value?.goTo({ x, y }, { magnification: 40, now: true });
  }, [viewReady.value, route.value]);
  /** Take up a polygon, or none; what was at work before is dropped. */
  const take = (region: Region | 0 | null, draft: Polygon | null) => {
    edited.value = region;
    layer.draft = draft;
    strokes.value = new History();
    drawn.value += 1;
    show();
  };
  const begin = (kind: RegionKind) => {
    drop();
    take(0, { vertices: [], closed: false, kind });
  };
  const edit = (region: Region) => {
    drop();
    seen.current.set(region.id, region.seen);
    take(region, { vertices: points(region), closed: true, kind: region.kind });
  };
  /** What was drawn and is not saved can be had back. */
  const drop = () => {
    const [region, { draft }] = [edited.value, layer];
    const isWorthIt = draft && strokes.value.canUndo.value && !unsent.current.has(draft);
    take(null, null);
    if (!isWorthIt) return;
    history.did({ title: "drawing dropped", of: "draft", undo: () => take(region, draft), redo: () => take(null, null) });
  };
  const kept = async (method: "POST" | "PUT" | "DELETE", where: string, body: object, title: string): Promise<RegionSet | null> => {
    const done = await keep<RegionSet>(method, where, body, title);
    if (done?.region) seen.current.set(done.region.id, done.region.seen);
    return done;
  };
  const send = async (method: "POST" | "PUT" | "DELETE", id: number, body: object = {}, more = ""): Promise<boolean> => {
    const expected = more ? {} : { expected: seen.current.get(id) };
    const title = { POST: "Region restored", PUT: "Region changed", DELETE: "Region deleted" }[method];
    const done = await kept(method, `/api/regions/${id}${more}`, { ...body, ...expected }, title);
    if (!done) history.forget(id);
    await load();
    return done !== null;
  };
  const remove = (id: number) => send("DELETE", id);
  const restore = (id: number) => send("POST", id, {}, "/restore");
  const save = async () => {
    const { draft } = layer;
    if (!draft || draft.vertices.length < 3 || unsent.current.has(draft)) return;
    const region = edited.value;
    unsent.current.add(draft);
    drawn.value += 1;
    const isKept = await saved(region, draft);
    unsent.current.delete(draft);
    if (layer.draft === draft) drawn.value += 1;
    if (isKept && layer.draft === draft) take(null, null);
    else if (!isKept && layer.draft === null) take(region, draft);
    else show();
  };
  const saved = async (region: Region | 0 | null, draft: Polygon): Promise<boolean> => {
    const after = bodyOf(draft.kind, draft.vertices);
    if (region) {
      const before = bodyOf(region.kind, points(region));
      if (!(await send("PUT", region.id, after))) return false;
      history.did({
        title: `${region.name || region.kind} changed`,
        of: region.id,
        undo: () => send("PUT", region.id, before),
        redo: () => send("PUT", region.id, after),
      });
    } else {
      const made = await kept("POST", path, after, `New region: ${draft.kind}`);
      if (!made) return false;
      const { id, kind } = made.region;
      history.did({ title: `${kind} drawn`, of: id, undo: () => remove(id), redo: () => restore(id) });
      await load();
    }
    return true;
  };
  const takeAway = async (region: Region) => {
    if (edited.value !== 0 && edited.value?.id === region.id) take(null, null);
    seen.current.set(region.id, region.seen);
    if (!(await remove(region.id))) return;
    const title = `${region.name || region.kind} deleted`;
    history.did({ title, of: region.id, undo: () => restore(region.id), redo: () => remove(region.id) });
  };
  const now = () => (layer.draft ? strokes.value : history);
  useCommands("Regions", [
    { keys: ["t"], title: "Draw tumour", run: () => begin("tumour") },
    { keys: ["e"], title: "Draw an exclusion", run: () => begin("exclusion") },
    { keys: ["i"], title: "Draw a region of interest", run: () => begin("region of interest") },
    { keys: ["Enter"], title: "Save the polygon", run: () => void save() },
    { keys: ["Escape"], title: "Drop what is drawn", run: drop },
    { keys: ["Backspace"], title: "Take the last corner back", run: () => dropCorner() },
    { keys: ["Ctrl+Z"], title: "Undo", run: () => now().undo(), repeats: true },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], title: "Redo", run: () => now().redo(), repeats: true },
  ]);
  const dropCorner = () => {
    const { draft } = layer;
    if (!draft || draft.closed || draft.vertices.length === 0) return;
    put({ ...draft, vertices: draft.vertices.slice(0, -1) });
    changed(draft);
  };
  const put = (draft: Polygon | null) => {
    layer.draft = draft;
    drawn.value += 1;
    view.current?.redraw();
  };
  const changed = (before: Polygon) => {
    const after = layer.draft;
    strokes.value.did({ title: "last change of the drawing", of: "draft", undo: () => put(before), redo: () => put(after) });
  };
  const ready = (made: SlideView) => {
    view.current = made;
    viewReady.value = made;
    made.addLayer(layer);
    made.addLayer(boxes);
    made.tool = polygons.current = new PolygonTool(made, layer, () => (drawn.value += 1), changed);
    show();
  };
  void drawn.value;
  const draft = layer.draft;
  const list = listing.value;
  return (
    <div class="work">
      <Stage picture={picture} name={slide.name} thumbnail={`/api/slides/${slide.id}/thumbnail.jpg?size=512`} onReady={ready} />
      <Panel label="Regions">
        <Section title="Regions">
          <p class="figure">
            {list.area_mm2 === null ? "–" : formatMm2(list.area_mm2)} <small>mm² tumour without exclusions</small>
          </p>
          <ul class="list">
            {list.regions.map((region) => (
              <li key={region.id} class="entry">
                <button
                  type="button"
                  class="plain grow"
                  title={region.is_mine ? undefined : "Drawn by somebody else: the lead can change it"}
                  disabled={!region.is_mine}
                  aria-pressed={edited.value !== 0 && edited.value?.id === region.id}
                  onClick={() => edit(region)}
                >
                  <span class={`swatch ${region.kind.replaceAll(" ", "-")}`} />
                  <bdi class="clip grow">{region.name || region.kind}</bdi>
                  <span>{region.area_mm2 === null ? "" : `${formatMm2(region.area_mm2)} mm²`}</span>
                </button>
                {region.is_mine && (
                  <button type="button" class="plain icon" aria-label={`Delete ${region.name || region.kind}`} onClick={() => void takeAway(region)}>
                    ✕
                  </button>
                )}
              </li>
            ))}
          </ul>
          {list.regions.length === 0 && <p class="soft">Nothing is drawn yet; without a region all tissue counts.</p>}
          {draft === null ? (
            <>
              <div class="row">
                <button type="button" class="grow" onClick={() => begin("tumour")}>
                  Tumour <kbd>T</kbd>
                </button>
                <button type="button" class="grow" onClick={() => begin("exclusion")}>
                  Exclusion <kbd>E</kbd>
                </button>
              </div>
              <div class="row">
                <button type="button" class="grow" onClick={() => begin("region of interest")}>
                  Region of interest <kbd>I</kbd>
                </button>
              </div>
            </>
          ) : (
            <Draft draft={draft} mpp={slide.mpp} onSave={() => void save()} onStop={drop} />
          )}
        </Section>
        <TurnBack history={now()} />
        {viewReady.value && <Interests slide={slide} view={viewReady.value} layer={boxes} history={history} polygons={polygons.current} />}
      </Panel>
    </div>
  );
}

interface DraftProperties {
  draft: Polygon;
  mpp: number | null;
  onSave(): void;
  onStop(): void;
}

function Draft({ draft, mpp, onSave, onStop }: DraftProperties) {
  const mm2 = mpp === null ? null : (area(draft.vertices) * mpp * mpp) / 1e6;
  return (
    <>
      <p class="soft">
        {draft.closed ? "Drag corners; drag an edge to add one; Alt-click takes one out." : "Click corner by corner, or hold Shift and drag. Enter saves."}
      </p>
      {mm2 !== null && (
        <p class="figure">
          {formatMm2(mm2)} <small>mm² in this polygon</small>
        </p>
      )}
      <div class="row">
        <button type="button" onClick={onStop}>
          Cancel
        </button>
        <button type="button" class="primary grow" disabled={draft.vertices.length < 3} onClick={onSave}>
          Save <kbd>↵</kbd>
        </button>
      </div>
    </>
  );
}

function bodyOf(kind: RegionKind, vertices: Polygon["vertices"]) {
  return { kind, vertices: vertices.map(({ x, y }) => [x, y]) };
}

function points(region: Region) {
  return region.vertices.map(([x, y]) => ({ x, y }));
}
