import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Away } from "../api/errors";
import { get } from "../api/request";
import type { Round, Screening as State } from "../api/types";
import { useCommands } from "../keys/commands";
import { History } from "../state/history";
import { keep, sayError, theOutbox } from "../state/session";
import { Progress, Section } from "../ui/panel";
import { say } from "../ui/toast";
import { sentence } from "../ui/words";
import { BoxLayer } from "../viewer/box-layer";
import { faint, INK, INTEREST, SEEN } from "../viewer/colours";
import { holdMagnification, heldScale } from "../viewer/held-magnification";
import { formatMagnification, leastScale, LEAST_TO_LABEL } from "../viewer/magnification";
import type { MiniMapLayer } from "../viewer/mini-map";
import type { OpenSlide } from "../viewer/picture";
import { onSlide, Shown } from "../viewer/shown";
import type { SlideView } from "../viewer/slide-view";
import { SlideWork } from "./slide-work";

const ASK_AGAIN_MS = 4000;
const KEPT_MS = 800;

/** Guided screening: fields over the tissue in order, until all of each was shown (CCMCT, CMC, MIDOG++). */
export function Screening({ round, slide }: { round: Round; slide: OpenSlide }) {
  const path = `/api/rounds/${round.id}/slides/${slide.id}/screening`;
  const history = useMemo(() => new History(), [path]);
  const state = useSignal<State | null>(null);
  const at = useSignal(0);
  /** Share of the field that was on the screen, in [0, 1]. */
  const share = useSignal(0);
  const view = useRef<SlideView | null>(null);
  const shown = useRef<Shown | null>(null);
  const box = useMemo(() => new BoxLayer(), []);
  const since = useRef(performance.now());
  /** From the first field on a magnification is the rater's; before, it is that of the whole slide. */
  const hasBegun = useRef(false);
  const isBeginning = useRef(false);
  const resting = useRef({ scale: 0, timer: 0 });

  /** A magnification is the rater's own once it was kept for a while: zooming passes through many. */
  const rest = (scale: number) => {
    window.clearTimeout(resting.current.timer);
    resting.current = { scale, timer: window.setTimeout(() => holdMagnification(scale, slide.mpp), KEPT_MS) };
  };
  /** Going on is work: what the rater sees it at is held at once. */
  const hold = () => {
    if (view.current?.isOpen && hasBegun.current) holdMagnification(view.current.goal.scale, slide.mpp);
  };
  const note = () => {
    const now = view.current;
    if (!now?.isOpen || !shown.current) return;
    if (hasBegun.current && now.goal.scale !== resting.current.scale) rest(now.goal.scale);
    shown.current.note(now.frame, (place) => now.isSharp(place));
    share.value = shown.current.fraction;
  };
  /** Bring the field into view at the rater's magnification: all of it, or the next part that was not shown. */
  const bring = () => {
    view.current?.whenOpen(() => {
      const [now, field] = [view.current, shown.current];
      if (!now || !field) return;
      hasBegun.current = true;
      const scale = heldScale(slide.mpp);
      const { width, height } = now.reach(scale);
      const fits = field.box.width < width * 1.01 && field.box.height < height * 1.01;
      now.centreOn(fits ? field.box : (field.rest(width, height) ?? field.box), scale);
    });
  };
  const show = (field: number) => {
    const place = state.value?.fields[field];
    if (!place) return;
    at.value = field;
    since.current = performance.now();
    const [x, y, width, height] = place;
    box.boxes = [{ box: { x, y, width, height }, colour: INTEREST }];
    shown.current = new Shown(onSlide({ x, y, width, height }, slide), leastScale(slide.mpp));
    share.value = 0;
    bring();
    view.current?.redraw();
  };
  const visit = (field: number, isCovered?: boolean) => {
    const seconds = Math.min((performance.now() - since.current) / 1000, 3600);
    since.current = performance.now();
    const body = { field, seconds, ...(isCovered === undefined ? {} : { is_covered: isCovered }) };
    theOutbox()
      .send<State>({ method: "PUT", path, body, title: isCovered === false ? `Field ${field + 1} not seen` : `Field ${field + 1}` })
      .catch((error: unknown) => {
        sayError(error);
        history.forget(path);
        get<State>(path).then((fresh) => (state.value = fresh), sayError);
      });
  };
  const mark = (field: number, isCovered: boolean) => {
    const now = state.value;
    if (!now) return;
    visit(field, isCovered);
    const covered = now.covered.map((one, other) => (other === field ? isCovered : one));
    const left = covered.filter((one) => !one).length;
    state.value = { ...now, covered, is_complete: left === 0, covered_fraction: 1 - left / Math.max(covered.length, 1) };
  };
  const goOn = (from: number) => {
    const next = nextField(state.value?.covered ?? [], from);
    if (next !== null) show(next);
  };
  /** The field is done if all of it was shown; else say what is missing, and show that where it can be shown. */
  const done = () => {
    const [now, field] = [state.value, at.value];
    if (!now || !shown.current) return;
    hold();
    note();
    if (now.covered[field]) {
      visit(field);
      return goOn(field);
    }
    if (!shown.current.isAll) return sayWhyNot(field);
    const cover = () => {
      mark(field, true);
      goOn(field);
    };
    const uncover = () => {
      mark(field, false);
      show(field);
    };
    cover();
    history.did({ title: `Field ${field + 1} seen`, of: path, undo: uncover, redo: cover });
  };
  const sayWhyNot = (field: number) => {
    const [now, parts] = [view.current, shown.current];
    if (!now || !parts) return;
    const name = `Field ${field + 1} does not count as seen yet`;
    const mend = "Shift+N goes on without it.";
    if (now.trouble.value) return say(`${name}. ${sentence(now.trouble.value.what)}`, { mend });
    if (now.isTooSmallToLabel) {
      const seen = now.magnification === null ? "too small" : `at ${formatMagnification(now.magnification)}`;
      bring();
      return say(`${name}: it was shown ${seen}, and ${LEAST_TO_LABEL}× is needed. Look at it now.`);
    }
    if (parts.isWaiting(now.frame)) return say(`${name}: its pixels are still on their way.`, { mend });
    bring();
    say(`${name}: ${Math.round(100 * (1 - parts.fraction))} % of it was not shown. This is the next part.`);
  };
  const back = () => {
    hold();
    bring();
  };
  const previous = () => {
    hold();
    visit(at.value);
    show(Math.max(at.value - 1, 0));
  };
  const leave = () => {
    hold();
    visit(at.value);
    goOn(at.value);
  };
  const again = async () => {
    if (isBeginning.current) return;
    isBeginning.current = true;
    // After the fields seen before: on the server these would else belong to the new pass.
    const fresh = await keep<State>("POST", `${path}/passes`, {}, "Next pass");
    isBeginning.current = false;
    if (!fresh) return;
    history.forget(path);
    take(fresh);
  };
  const take = (fresh: State) => {
    state.value = fresh;
    const start = fresh.field ?? fresh.covered.indexOf(false);
    show(fresh.covered[start] ? (nextField(fresh.covered, start) ?? start) : Math.max(start, 0));
  };
  useEffect(() => {
    let timer = 0;
    const ask = () =>
      get<State>(path).then(take, (error: unknown) => {
        sayError(error);
        if (error instanceof Away) timer = window.setTimeout(ask, ASK_AGAIN_MS);
      });
    void ask();
    return () => window.clearTimeout(timer);
  }, [path]);
  useCommands("Screening", [
    { keys: ["n", "Enter"], title: "Field done, next one; or the next part of it that was not shown", run: done },
    { keys: ["Shift+N"], title: "Next field, this one not counted as seen", run: leave },
    { keys: ["p"], title: "Previous field", run: previous },
    { keys: ["f"], title: "Back to the field", run: back },
  ]);

  const coverage = useMemo<MiniMapLayer>(
    () =>
      coverageLayer(
        () => state.value,
        () => at.value,
      ),
    [],
  );
  const layers = useMemo(() => [coverage], [coverage]);
  const now = state.value;
  const count = now?.covered.filter(Boolean).length ?? 0;
  return (
    <SlideWork
      round={round}
      slide={slide}
      history={history}
      mapLayers={layers}
      onView={(made) => {
        view.current = made;
        made.addLayer(box);
        const unwatch = made.watch(note);
        show(at.value);
        return () => {
          unwatch();
          window.clearTimeout(resting.current.timer);
          view.current = null;
        };
      }}
    >
      <Section title={now && now.pass > 1 ? `Screening, pass ${now.pass}` : "Screening"}>
        {now && now.fields.length === 0 && <p>No tissue was found on this slide; label it freely.</p>}
        {now && now.fields.length > 0 && (
          <>
            <Progress done={count} of={now.fields.length} what="fields" />
            {now.is_complete && <p class="good">All tissue has been seen.</p>}
            <div class="row">
              <button type="button" onClick={previous} title="Previous field (P)">
                Previous
              </button>
              <button type="button" class="primary grow" onClick={done} title="Field done, next one (N)">
                Done, next <kbd>N</kbd>
              </button>
            </div>
            <p class="soft">
              Field {at.value + 1}, {now.covered[at.value] ? "seen" : `${Math.floor(100 * Math.min(share.value, 1))} % shown`}
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
      context.fillStyle = faint(SEEN, 0.34);
      context.fill();
      context.beginPath();
      rectangles.forEach((rectangle, field) => now.covered[field] || context.rect(...rectangle));
      context.strokeStyle = faint(INK, 0.28);
      context.lineWidth = 0.75;
      context.stroke();
      context.strokeStyle = INTEREST;
      context.lineWidth = 2;
      const here = rectangles[at()];
      if (here) context.strokeRect(...here);
    },
  };
}
