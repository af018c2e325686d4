import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { ask, get } from "../api/request";
import { Refusal } from "../api/errors";
import type { Case, Certainty, Counted, ProposedSoFar, Result, Round, Signed } from "../api/types";
import { useCommands } from "../keys/commands";
import { studyLabels, sayError, theOutbox } from "../state/session";
import { Follow } from "../state/follow";
import { Work } from "../state/work";
import { Panel, Section } from "../ui/panel";
import { say } from "../ui/toast";
import { formatMm2 } from "../viewer/area";
import { BoxLayer } from "../viewer/box-layer";
import type { Cell } from "../viewer/cell-table";
import { CellsLayer, RADIUS_PX0 } from "../viewer/cells-layer";
import type { Point } from "../viewer/frame";
import { pictureOf, type OpenSlide } from "../viewer/picture";
import { ProposalsLayer } from "../viewer/proposals-layer";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import type { Pointer } from "../viewer/tool";
import { NoCandidates } from "./no-candidates";
import { loadRegions } from "./slide-work";
import { RegionsLayer } from "../viewer/regions-layer";
import { Signature } from "./signature";
import { WindowTool } from "./window-tool";

/** How long the slider and the window rest before it is counted anew. */
const PATIENCE_MS = 120;
const HOT_SPOT = "#0072b2";
/** As in the report: the yellow of Okabe and Ito. */
const CANDIDATE = "#f0e442";

/** The pathologist's view of a case: candidates, the hot spot, the count, the signature. */
export function CaseReview({ round, slide }: { round: Round; slide: OpenSlide }) {
  const path = `/api/rounds/${round.id}/slides/${slide.id}`;
  const work = useMemo(() => new Work(round.id), [round.id, slide.id]);
  const labels = useMemo(studyLabels, []);
  const picture = useMemo(() => pictureOf(slide), [slide.id]);
  const found = useSignal<Case | null>(null);
  const threshold = useSignal(0);
  const corner = useSignal<Point | null>(null);
  /** What the server counts in the window as it lies; null while it cannot be told. */
  const counted = useSignal<Counted | null>(null);
  const problem = useSignal<string | null>(null);
  const selected = useSignal<number | null>(null);
  const loaded = useSignal(0);
  const isLoaded = useSignal(false);
  const follow = useRef<Follow | null>(null);
  const reload = () => void follow.current?.refresh().catch(sayError);
  const view = useRef<SlideView | null>(null);
  const cells = useRef<CellsLayer | null>(null);
  const boxes = useMemo(() => new BoxLayer(), []);
  const proposals = useMemo(() => new ProposalsLayer(), []);

  const figure = found.value?.mitotic_label ?? 0;
  const other = labels.find((label) => !(found.value?.figure_labels ?? [figure]).includes(label.id))?.id ?? 0;
  const isFigure = (label: number) => found.value?.figure_labels.includes(label) ?? false;
  const isCandidate = (cell: Cell) => (cell.own && cell.label > 0 ? isFigure(cell.label) : (cell.score ?? -1) > threshold.value);
  const windowBox = () => {
    const size = found.value?.window;
    return corner.value && size ? { ...corner.value, width: size.width, height: size.height } : null;
  };
  const inWindow = () => {
    const box = windowBox();
    return box ? work.table.in(box) : [];
  };
  void loaded.value;
  void work.count.value;
  const count = counted.value?.count ?? null;
  const draw = () => {
    const box = windowBox();
    boxes.boxes = box ? [{ box, colour: HOT_SPOT, width: 3, caption: captionOf(count) }] : [];
    cells.current?.show((cell) => (cell.own && cell.label > 0) || (cell.score ?? -1) > threshold.value);
    view.current?.redraw();
  };
  useEffect(draw);
  useEffect(() => {
    follow.current = new Follow(work, round, slide.id, () => (isLoaded.value = true));
    const unwatch = work.table.watch(() => (loaded.value += 1));
    begin();
    return () => {
      unwatch();
      follow.current?.stop();
    };
  }, [path]);
  const begin = () => {
    reload();
    get<Case>(`${path}/case`).then((answer) => {
      found.value = answer;
      threshold.value = answer.threshold ?? answer.floor ?? 0;
      take(answer.hot_spot, answer.problem);
      if (answer.threshold === null) void recount(null);
      showWindow();
    }, sayError);
  };
  const showProposals = (proposed: ProposedSoFar) => {
    proposals.proposed = proposed;
    view.current?.redraw();
  };
  const showWindow = () => {
    const box = windowBox();
    if (box) view.current?.fit(box);
  };
  const take = (answer: Counted | null, reason: string | null) => {
    counted.value = answer;
    problem.value = reason;
    if (answer) corner.value = { x: answer.x, y: answer.y };
  };
  const asked = useRef(0);
  /** Count anew where the window lies, or in the hot spot; of several questions the last one counts. */
  const recount = async (at: Point | null, isFound?: () => void) => {
    const number = (asked.current += 1);
    try {
      const answer = await countAt(path, threshold.value, at);
      if (number !== asked.current) return;
      take(answer, null);
      isFound?.();
    } catch (error) {
      if (number !== asked.current) return;
      if (error instanceof Refusal) take(null, error.message);
      else sayError(error);
    }
  };
  const timer = useRef(0);
  const recountSoon = () => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void recount(corner.value), PATIENCE_MS);
  };
  const toHotSpot = () => void recount(null, showWindow);
  const select = (cell: Cell | null) => {
    selected.value = cell?.id ?? null;
    if (cells.current) cells.current.selected = selected.value;
    view.current?.redraw();
  };
  const step = (by: 1 | -1) => {
    const order = inWindow().filter((cell) => isCandidate(cell) || (cell.own && cell.label > 0)).sort((one, two) => (two.score ?? 2) - (one.score ?? 2));
    const at = order.findIndex((cell) => cell.id === selected.value);
    const next = at < 0 ? order[0] : order[(at + by + order.length) % order.length];
    if (!next) return;
    select(next);
    view.current?.goTo(next, { magnification: 40 });
  };
  const give = (label: number) => {
    const cell = selected.value === null ? undefined : work.table.get(selected.value);
    if (!cell) return say("Select a candidate first: click it, or press N.");
    const wasReady = inWindow().some((one) => one.id === cell.id);
    work.label(cell.id, label);
    if (wasReady) step(1);
  };
  work.onConflict = reload;
  work.onSaved = recountSoon;
  work.onReturn = (cell) => select(work.table.get(cell) ?? null);
  useCommands("Case", [
    { keys: ["a", "1"], title: "Accept: mitotic figure, and on to the next", run: () => give(figure) },
    { keys: ["r", "2"], title: "Reject, and on to the next", run: () => give(other) },
    { keys: ["n"], title: "Next candidate in the window", run: () => step(1) },
    { keys: ["p"], title: "Previous candidate in the window", run: () => step(-1) },
    { keys: ["h"], title: "Window back to the hot spot", run: toHotSpot },
    { keys: ["w"], title: "Show the whole window", run: showWindow },
    { keys: ["Ctrl+Z"], title: "Undo", run: () => work.undo() },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], title: "Redo", run: () => work.redo() },
  ]);
  const place = (at: Point) => {
    corner.value = at;
    recountSoon();
  };
  const ready = (made: SlideView) => {
    const layer = new CellsLayer(work.table, picture, labels, CANDIDATE);
    const regions = new RegionsLayer();
    [view.current, cells.current] = [made, layer];
    const pick = (pointer: Pointer) =>
      work.table.nearest(pointer.slide.x, pointer.slide.y, Math.max(RADIUS_PX0, 9 / made.frame.scale), (cell) => layer.isShown(cell));
    const inner = { click: (at: Pointer) => select(pick(at)), cursor: (at: Pointer) => (pick(at) ? "pointer" : "") };
    made.tool = new WindowTool(windowBox, slide, place, inner);
    for (const one of [regions, proposals, boxes, layer]) made.addLayer(one);
    loadRegions(slide.id, regions, made);
    showWindow();
    return work.table.watch(() => made.redraw());
  };
  const sign = async (comment: string) => {
    if (!corner.value || count === null) return false;
    const body = { threshold: threshold.value, ...corner.value, count, comment };
    return await signed(`${path}/case/sign`, body, (result) => {
      if (found.value) found.value = { ...found.value, results: [result, ...found.value.results] };
    }, reload);
  };
  const isBare = isLoaded.value && ![...work.table.all()].some((cell) => cell.score !== null);
  const now = found.value;
  const chosen = selected.value === null ? undefined : work.table.get(selected.value);
  return (
    <div class="work">
      <Stage picture={picture} name={slide.name} thumbnail={`/api/slides/${slide.id}/thumbnail.jpg?size=512`} onReady={ready} />
      <Panel label="Case">
        <Section title="Mitotic count">
          <p class="count" aria-live="polite">
            {count ?? "–"}
          </p>
          <p class="soft">{now ? `mitotic figures in ${formatMm2(counted.value?.area_mm2 ?? now.window.area_mm2)} mm² (${now.window.aspect})` : "Loading …"}</p>
          {typeof counted.value?.atypical === "number" && (
            <p class="soft">{`of these ${counted.value.atypical} atypical, by your label or else by the detector (an aid)`}</p>
          )}
          {counted.value && <HowSure certainty={counted.value.certainty} />}
          {(problem.value ?? counted.value?.note) && <p class="note">{problem.value ?? counted.value?.note}</p>}
          <div class="row">
            <button type="button" class="grow" onClick={toHotSpot} title="Window back to the hot spot (H)">
              Find the hot spot
            </button>
            <button type="button" onClick={showWindow} title="Show the whole window (W)">
              Show
            </button>
          </div>
        </Section>
        {isBare ? (
          <NoCandidates slide={slide} onDone={begin} onProposals={showProposals} />
        ) : (
          <Section title={`Threshold ${threshold.value.toFixed(2)}`}>
            <input
              type="range"
              min={Math.floor((now?.floor ?? 0) * 100) / 100}
              max={1}
              step={0.01}
              value={threshold.value}
              aria-label="Threshold of the model's score"
              onInput={(event) => {
                threshold.value = event.currentTarget.valueAsNumber;
                recountSoon();
              }}
            />
            <p class="soft">Candidates above it count, unless you reject them.</p>
          </Section>
        )}
        {work.table.size > 0 && (
          <Section title={chosen ? `Candidate, score ${chosen.score?.toFixed(2) ?? "–"}` : "Candidate"}>
            <div class="row">
              <button type="button" class="grow" disabled={!chosen} aria-pressed={chosen?.own && isFigure(chosen.label)} onClick={() => give(figure)}>
                Accept <kbd>A</kbd>
              </button>
              <button type="button" class="grow" disabled={!chosen} aria-pressed={chosen?.own && chosen.label > 0 && !isFigure(chosen.label)} onClick={() => give(other)}>
                Reject <kbd>R</kbd>
              </button>
            </div>
            <div class="row">
              <button type="button" onClick={() => step(-1)}>
                Previous
              </button>
              <button type="button" class="grow" onClick={() => step(1)}>
                Next <kbd>N</kbd>
              </button>
              <button type="button" disabled={!work.canUndo.value} onClick={() => work.undo()}>
                Undo
              </button>
            </div>
          </Section>
        )}
        <Signature count={count} area={counted.value?.area_mm2 ?? 0} results={now?.results ?? []} onSign={sign} />
      </Panel>
    </div>
  );
}

/** What is expected in the window and on all that was searched; nothing where scores are no probabilities. */
function HowSure({ certainty }: { certainty: Certainty }) {
  const { expected, interval, density } = certainty;
  if (expected === null || interval === null) return null;
  const ofAll = density?.interval && density.expected_per_mm2 !== null ? density : null;
  return (
    <p class="soft" title="Interval of 95 %: which candidates are figures, and the chance of sampling. What was never proposed is not covered.">
      {`expected ${expected.toFixed(1)} (${interval[0].toFixed(1)} to ${interval[1].toFixed(1)})`}
      {ofAll?.interval && `; on all ${ofAll.within} ${perMm2(ofAll.expected_per_mm2)} per mm² (${perMm2(ofAll.interval[0])} to ${perMm2(ofAll.interval[1])})`}
    </p>
  );
}

function perMm2(density: number | null): string {
  return (density ?? 0).toPrecision(3);
}

function captionOf(count: number | null): string {
  if (count === null) return "no count";
  return count === 1 ? "1 mitotic figure" : `${count} mitotic figures`;
}

function countAt(path: string, threshold: number, at: Point | null): Promise<Counted> {
  return ask<Counted>("POST", `${path}/case/count`, { threshold, ...(at ? { corner: [at.x, at.y] } : {}) });
}

async function signed(path: string, body: Record<string, unknown>, onResult: (result: Result) => void, onConflict: () => void): Promise<boolean> {
  try {
    const { result } = await theOutbox().send<Signed>({ path, body, title: "Signature" });
    onResult(result);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.isConflict) {
      onConflict();
      say("Not signed: the labels have changed meanwhile.", { kind: "warning", mend: `${error.message}. ${error.mend ?? ""}` });
    } else sayError(error);
    return false;
  }
}
