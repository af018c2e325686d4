import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { get } from "../api/request";
import type { Round, Screening as State } from "../api/types";
import { useCommands } from "../keys/commands";
import { sayError, theOutbox, write } from "../state/session";
import { Progress, Section } from "../ui/panel";
import { BoxLayer } from "../viewer/box-layer";
import type { MiniMapLayer } from "../viewer/mini-map";
import type { OpenSlide } from "../viewer/picture";
import type { SlideView } from "../viewer/slide-view";
import { SlideWork } from "./slide-work";

const FIELD = "#0072b2";

/** Guided screening: fields over the tissue in order, until none is left (CCMCT, CMC, MIDOG++). */
export function Screening({ round, slide }: { round: Round; slide: OpenSlide }) {
  const path = `/api/rounds/${round.id}/slides/${slide.id}/screening`;
  const state = useSignal<State | null>(null);
  const at = useSignal(0);
  const view = useRef<SlideView | null>(null);
  const box = useMemo(() => new BoxLayer(), []);
  const since = useRef(performance.now());

  const show = (field: number) => {
    const place = state.value?.fields[field];
    if (!place) return;
    at.value = field;
    since.current = performance.now();
    const [x, y, width, height] = place;
    box.boxes = [{ box: { x, y, width, height }, colour: FIELD }];
    view.current?.fit({ x, y, width, height });
    view.current?.redraw();
  };
  const visit = (field: number, isCovered: boolean | undefined) => {
    const seconds = (performance.now() - since.current) / 1000;
    const body = { field, seconds: Math.min(seconds, 3600), ...(isCovered === undefined ? {} : { is_covered: isCovered }) };
    theOutbox()
      .send<State>({ method: "PUT", path, body, title: `Field ${field + 1}` })
      .catch(sayError);
  };
  const step = (by: 1 | -1) => {
    const now = state.value;
    if (!now) return;
    const covered = [...now.covered];
    if (by === 1) covered[at.value] = true;
    visit(at.value, by === 1 ? true : undefined);
    const left = covered.filter((one) => !one).length;
    state.value = { ...now, covered, is_complete: left === 0, covered_fraction: 1 - left / Math.max(covered.length, 1) };
    const next = by === 1 ? nextField(covered, at.value) : Math.max(at.value - 1, 0);
    if (next !== null) show(next);
  };
  const again = async () => {
    const fresh = await write<State>("POST", `${path}/passes`);
    if (fresh) take(fresh);
  };
  const take = (fresh: State) => {
    state.value = fresh;
    const start = fresh.field ?? fresh.covered.indexOf(false);
    show(fresh.covered[start] ? (nextField(fresh.covered, start) ?? start) : Math.max(start, 0));
  };
  useEffect(() => {
    get<State>(path).then(take, sayError);
  }, [path]);
  useCommands("Screening", [
    { keys: ["n", "Enter"], title: "Field done, next one", run: () => step(1) },
    { keys: ["p"], title: "Previous field", run: () => step(-1) },
    { keys: ["f"], title: "Back to the field", run: () => show(at.value) },
  ]);

  const coverage = useMemo<MiniMapLayer>(() => coverageLayer(() => state.value, () => at.value), []);
  const layers = useMemo(() => [coverage], [coverage]);
  const now = state.value;
  const done = now?.covered.filter(Boolean).length ?? 0;
  return (
    <SlideWork
      round={round}
      slide={slide}
      mapLayers={layers}
      onView={(made) => {
        view.current = made;
        made.addLayer(box);
        show(at.value);
        return () => (view.current = null);
      }}
    >
      <Section title={now && now.pass > 1 ? `Screening, pass ${now.pass}` : "Screening"}>
        {now && now.fields.length === 0 && <p>No tissue was found on this slide; label it freely.</p>}
        {now && now.fields.length > 0 && (
          <>
            <Progress done={done} of={now.fields.length} what="fields" />
            {now.is_complete && <p class="good">All tissue has been seen.</p>}
            <div class="row">
              <button type="button" onClick={() => step(-1)} title="Previous field (P)">
                Previous
              </button>
              <button type="button" class="primary grow" onClick={() => step(1)} title="Field done, next one (N)">
                Done, next <kbd>N</kbd>
              </button>
            </div>
            <p class="soft">
              Field {at.value + 1}
              {now.covered[at.value] ? ", seen" : ""}
            </p>
            {now.is_complete && (
              <button type="button" onClick={() => void again()}>
                Begin pass {now.pass + 1}
              </button>
            )}
          </>
        )}
      </Section>
    </SlideWork>
  );
}

/** The next field that is not covered, from here on and then from the first; null when all are. */
function nextField(covered: readonly boolean[], from: number): number | null {
  const later = covered.indexOf(false, from + 1);
  if (later >= 0) return later;
  const first = covered.indexOf(false);
  return first >= 0 ? first : null;
}

function coverageLayer(state: () => State | null, at: () => number): MiniMapLayer {
  return {
    draw(context, scale) {
      const now = state();
      if (!now) return;
      const rectangles = now.fields.map((field) => field.map((one) => one * scale) as [number, number, number, number]);
      context.beginPath();
      rectangles.forEach((rectangle, field) => now.covered[field] && context.rect(...rectangle));
      context.fillStyle = "rgba(11,110,82,.34)";
      context.fill();
      context.beginPath();
      rectangles.forEach((rectangle, field) => now.covered[field] || context.rect(...rectangle));
      context.strokeStyle = "rgba(27,31,36,.28)";
      context.lineWidth = 0.75;
      context.stroke();
      context.strokeStyle = FIELD;
      context.lineWidth = 2;
      const here = rectangles[at()];
      if (here) context.strokeRect(...here);
    },
  };
}
