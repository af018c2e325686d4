import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get } from "../api/request";
import type { Counted, InterestPlaced, InterestRecord, Interests as InterestList } from "../api/types";
import type { History } from "../state/history";
import { isLead, keep, me, sayError } from "../state/session";
import { Section } from "../ui/panel";
import type { BoxLayer } from "../viewer/box-layer";
import { INTEREST } from "../viewer/colours";
import type { Box } from "../viewer/frame";
import type { OpenSlide } from "../viewer/picture";
import type { SlideView } from "../viewer/slide-view";
import type { Tool } from "../viewer/tool";
import { WindowTool } from "./window-tool";

/** MIDOG++ and the canine sets take 2 mm² at 4:3. */
const AREA_MM2 = 2;

interface Properties {
  slide: OpenSlide;
  view: SlideView;
  layer: BoxLayer;
  history: History;
  polygons: Tool | null;
}

function areaOf({ area_mm2 }: InterestRecord): string {
  return area_mm2 === null ? "" : `${area_mm2.toFixed(2)} mm²`;
}

/** Regions of interest of 2 mm²: placed by hand or on the hot spot, saved, exported as TIFF. */
export function Interests({ slide, view, layer, history, polygons }: Properties) {
  const path = `/api/slides/${slide.id}/interests`;
  const list = useSignal<readonly InterestRecord[]>([]);
  const placed = useSignal<Box | null>(null);
  /** Saved here and not yet acknowledged: they stay in view. */
  const unsent = useRef(new Set<Box>());
  const draw = () => {
    layer.boxes = [
      ...list.value.map((one) => ({ box: one, colour: INTEREST, width: 2, caption: one.name || areaOf(one) })),
      ...[...unsent.current].map((box) => ({ box, colour: INTEREST, width: 2 })),
      ...(placed.value ? [{ box: placed.value, colour: INTEREST, dash: [8, 5] }] : []),
    ];
    view.redraw();
  };
  const load = () =>
    get<InterestList>(path).then(({ interests }) => {
      list.value = interests;
      draw();
    }, sayError);
  useEffect(() => void load(), [path]);
  const place = (box: Box) => {
    placed.value = box;
    view.tool = new WindowTool(
      () => placed.value,
      () => view.frame,
      slide,
      move,
      polygons,
    );
    draw();
    view.fit(box);
  };
  const move = (at: { x: number; y: number }) => {
    if (placed.value) placed.value = { ...placed.value, ...at };
    draw();
  };
  const stop = () => {
    placed.value = null;
    view.tool = polygons;
    draw();
  };
  const byHand = () => {
    const mpp = slide.mpp ?? 0.25;
    const width = Math.min((Math.sqrt((AREA_MM2 * 4) / 3) * 1000) / mpp, slide.width);
    const height = Math.min((Math.sqrt((AREA_MM2 * 3) / 4) * 1000) / mpp, slide.height);
    const { x, y } = view.frame.centre;
    place({ x: clamp(x - width / 2, slide.width - width), y: clamp(y - height / 2, slide.height - height), width, height });
  };
  /** Whose labels are counted for the hot spot. */
  const round = me.value?.rounds.find((one) => one.slides.includes(slide.id) && !one.is_blinded);
  const onHotSpot = () => {
    const query = `round=${round?.id ?? 1}&area_mm2=${AREA_MM2}&aspect=4:3`;
    get<Counted>(`/api/slides/${slide.id}/hot-spot?${query}`).then(place, sayError);
  };
  const save = async () => {
    const box = placed.value;
    if (!box) return;
    unsent.current.add(box);
    stop();
    const body = { x: box.x, y: box.y, area_mm2: AREA_MM2, aspect: "4:3" };
    const made = await keep<InterestPlaced>("POST", path, body, "Region of interest placed");
    unsent.current.delete(box);
    if (made) {
      const { id } = made.interest;
      history.did({ title: "region of interest placed", of: nameOf(id), undo: () => remove(id), redo: () => restore(id) });
    } else if (!placed.value) place(box);
    await load();
  };
  const send = async (method: "POST" | "DELETE", id: number, title: string, more = ""): Promise<boolean> => {
    const done = await keep(method, `/api/interests/${id}${more}`, {}, title);
    if (!done) history.forget(nameOf(id));
    await load();
    return done !== null;
  };
  const remove = (id: number) => send("DELETE", id, "Region of interest deleted");
  const restore = (id: number) => send("POST", id, "Region of interest restored", "/restore");
  const takeAway = async ({ id }: InterestRecord) => {
    if (!(await remove(id))) return;
    history.did({ title: "region of interest deleted", of: nameOf(id), undo: () => restore(id), redo: () => remove(id) });
  };
  const fits = slide.mpp === null || (slide.width * slide.height * slide.mpp ** 2) / 1e6 > AREA_MM2;
  return (
    <Section title="Region of interest, 2 mm²">
      <ul class="list">
        {list.value.map((one) => (
          <li key={one.id} class="entry">
            <button type="button" class="plain grow" onClick={() => view.fit(one)}>
              <bdi class="clip grow">{one.name}</bdi>
              <span>{areaOf(one)}</span>
            </button>
            <a class="button plain" href={one.tiff} download="">
              TIFF
            </a>
            {one.is_mine && (
              <button type="button" class="plain icon" aria-label="Delete this region of interest" onClick={() => void takeAway(one)}>
                ✕
              </button>
            )}
          </li>
        ))}
      </ul>
      {placed.value ? (
        <>
          <p class="soft">Drag the window to where it belongs.</p>
          <div class="row">
            <button type="button" onClick={stop}>
              Cancel
            </button>
            <button type="button" class="primary grow" onClick={() => void save()}>
              Save
            </button>
          </div>
        </>
      ) : (
        <div class="row">
          <button type="button" class="grow" disabled={!fits} onClick={byHand}>
            Place
          </button>
          <button type="button" class="grow" disabled={!fits || !(round || isLead())} onClick={onHotSpot}>
            Hot spot
          </button>
        </div>
      )}
      {!fits && <p class="soft">This slide is smaller than 2 mm².</p>}
    </Section>
  );
}

/** Regions drawn have numbers of their own. */
function nameOf(id: number): string {
  return `interest ${id}`;
}

function clamp(value: number, highest: number): number {
  return Math.round(Math.min(Math.max(value, 0), Math.max(highest, 0)));
}
