import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { get } from "../api/request";
import type { Region, RegionKind, Regions as RegionList } from "../api/types";
import { useCommands } from "../keys/commands";
import { sayError, write } from "../state/session";
import { Panel, Section } from "../ui/panel";
import { formatMm2 } from "../viewer/area";
import { BoxLayer } from "../viewer/box-layer";
import { pictureOf, type OpenSlide } from "../viewer/picture";
import { RegionsLayer } from "../viewer/regions-layer";
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
  const deleted = useRef<number[]>([]);

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
    layer.outlines = listing.value.regions.filter((one) => one.id !== busy).map((one) => ({ kind: one.kind, vertices: points(one) }));
    view.current?.redraw();
  };
  useEffect(() => void load(), [path]);
  const begin = (kind: RegionKind) => {
    edited.value = 0;
    layer.draft = { vertices: [], closed: false, kind };
    drawn.value += 1;
    show();
  };
  const edit = (region: Region) => {
    edited.value = region;
    layer.draft = { vertices: points(region), closed: true, kind: region.kind };
    drawn.value += 1;
    show();
  };
  const stop = () => {
    edited.value = null;
    layer.draft = null;
    drawn.value += 1;
    show();
  };
  const save = async () => {
    const { draft } = layer;
    if (!draft || draft.vertices.length < 3) return;
    const body = { kind: draft.kind, vertices: draft.vertices.map(({ x, y }) => [x, y]) };
    const region = edited.value;
    const done = region
      ? await write("PUT", `/api/regions/${region.id}`, { ...body, expected: region.seen })
      : await write("POST", path, body);
    if (done) stop();
    await load();
  };
  const remove = async (region: Region) => {
    const done = await write("DELETE", `/api/regions/${region.id}`, { expected: region.seen });
    if (done) deleted.current.push(region.id);
    stop();
    await load();
  };
  const undo = async () => {
    const last = deleted.current.pop();
    if (last !== undefined && (await write("POST", `/api/regions/${last}/restore`))) await load();
  };
  useCommands("Regions", [
    { keys: ["t"], title: "Draw tumour", run: () => begin("tumour") },
    { keys: ["e"], title: "Draw an exclusion", run: () => begin("exclusion") },
    { keys: ["i"], title: "Draw a region of interest", run: () => begin("region of interest") },
    { keys: ["Enter"], title: "Save the polygon", run: () => void save() },
    { keys: ["Escape"], title: "Drop what is drawn", run: stop },
    { keys: ["Backspace"], title: "Take the last corner back", run: () => dropCorner() },
    { keys: ["Ctrl+Z"], title: "Bring the last deleted region back", run: () => void undo() },
  ]);
  const dropCorner = () => {
    if (!layer.draft || layer.draft.closed) return;
    layer.draft = { ...layer.draft, vertices: layer.draft.vertices.slice(0, -1) };
    drawn.value += 1;
    view.current?.redraw();
  };
  const ready = (made: SlideView) => {
    view.current = made;
    viewReady.value = made;
    made.addLayer(layer);
    made.addLayer(boxes);
    made.tool = new PolygonTool(made, layer, () => (drawn.value += 1));
    show();
  };
  void drawn.value;
  const draft = layer.draft;
  const now = listing.value;
  return (
    <div class="work">
      <Stage picture={picture} name={slide.name} thumbnail={`/api/slides/${slide.id}/thumbnail.jpg?size=512`} onReady={ready} />
      <Panel label="Regions">
        <Section title="Regions">
          <p class="figure">
            {now.area_mm2 === null ? "–" : formatMm2(now.area_mm2)} <small>mm² tumour without exclusions</small>
          </p>
          <ul class="list">
            {now.regions.map((region) => (
              <li key={region.id} class="entry">
                <button type="button" class="plain grow" aria-pressed={edited.value !== 0 && edited.value?.id === region.id} onClick={() => edit(region)}>
                  <span class={`swatch ${region.kind.replaceAll(" ", "-")}`} />
                  <bdi class="clip grow">{region.name || region.kind}</bdi>
                  <span>{region.area_mm2 === null ? "" : `${formatMm2(region.area_mm2)} mm²`}</span>
                </button>
                <button type="button" class="plain icon" aria-label={`Delete ${region.name || region.kind}`} onClick={() => void remove(region)}>
                  ✕
                </button>
              </li>
            ))}
          </ul>
          {now.regions.length === 0 && <p class="soft">Nothing is drawn yet; without a region all tissue counts.</p>}
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
            <Draft draft={draft} mpp={slide.mpp} onSave={() => void save()} onStop={stop} />
          )}
        </Section>
        {viewReady.value && <Interests slide={slide} view={viewReady.value} layer={boxes} polygons={viewReady.value.tool} />}
      </Panel>
    </div>
  );
}

interface DraftProperties {
  draft: NonNullable<RegionsLayer["draft"]>;
  mpp: number | null;
  onSave(): void;
  onStop(): void;
}

function Draft({ draft, mpp, onSave, onStop }: DraftProperties) {
  const mm2 = mpp === null ? null : (area(draft.vertices) * mpp * mpp) / 1e6;
  return (
    <>
      <p class="soft">
        {draft.closed
          ? "Drag corners; drag an edge to add one; Alt-click takes one out."
          : "Click corner by corner, or hold Shift and drag. Enter saves."}
      </p>
      {mm2 !== null && <p class="figure">{formatMm2(mm2)} <small>mm² in this polygon</small></p>}
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

function points(region: Region) {
  return region.vertices.map(([x, y]) => ({ x, y }));
}
