import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { ProposedSoFar, Round } from "../api/types";
import { useCommands } from "../keys/commands";
import { studyLabels, sayError } from "../state/session";
import { Follow } from "../state/follow";
import { Comments } from "../state/comments";
import { Work } from "../state/work";
import type { StageCells } from "../tools/stage-cells";
import { Panel } from "../ui/panel";
import { say } from "../ui/toast";
import type { Cell } from "../viewer/cell-table";
import { CellsLayer, RADIUS_PX0 } from "../viewer/cells-layer";
import { CANDIDATE } from "../viewer/colours";
import type { Point } from "../viewer/frame";
import { LEAST_TO_LABEL, magnificationOf } from "../viewer/magnification";
import { pictureOf, type OpenSlide } from "../viewer/picture";
import { ProposalsLayer } from "../viewer/proposals-layer";
import { RegionsLayer } from "../viewer/regions-layer";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import type { Pointer } from "../viewer/tool";
import { CandidatePanel } from "./case/candidate-panel";
import { AddedLayer, SearchLayer, WindowLayer } from "./case/case-layers";
import { CaseState } from "./case/case-state";
import { CountPanel, Threshold } from "./case/count-panel";
import { Filmstrip } from "./case/filmstrip";
import { Grading } from "./case/grading";
import { ordered, stepFrom, type Order } from "./case/order";
import { squaresIn } from "./case/seen-squares";
import { KeptWindows, WindowChoice } from "./case/window-choice";
import { NoCandidates } from "./no-candidates";
import { loadRegions } from "./slide-work";
import { Signature } from "./signature";
import { WindowTool } from "./window-tool";

/** Magnification at which a candidate is shown. */
const CLOSE = 40;
/** A place is seen when the view has rested there for so long. */
const REST_MS = 300;

/** The pathologist's view of a case: candidates, the hot spot, the count, the signature. */
export function CaseReview({ round, slide }: { round: Round; slide: OpenSlide }) {
  const work = useMemo(() => new Work(round.id), [round.id, slide.id]);
  const state = useMemo(() => new CaseState(`/api/rounds/${round.id}/slides/${slide.id}`, work), [work]);
  const labels = useMemo(studyLabels, []);
  const picture = useMemo(() => pictureOf(slide), [slide.id]);
  const order = useSignal<Order>("score");
  const isAdding = useSignal(false);
  const loaded = useSignal(0);
  const isLoaded = useSignal(false);
  const comment = useRef<HTMLInputElement>(null);
  const follow = useRef<Follow | null>(null);
  const view = useRef<SlideView | null>(null);
  const marks = useRef<CellsLayer | null>(null);
  const windows = useMemo(() => new WindowLayer(), []);
  const search = useMemo(() => new SearchLayer(), []);
  const proposals = useMemo(() => new ProposalsLayer(), []);

  void loaded.value;
  void work.count.value;
  const found = state.found.value;
  const figure = found?.mitotic_label ?? 0;
  const other = labels.find((label) => !state.isFigure(label.id) && label.id !== figure)?.id ?? 0;
  const cells = ordered(state.toLookAt(), order.value);
  const chosen = state.selected.value === null ? undefined : work.table.get(state.selected.value);

  const draw = () => {
    const box = state.box.value;
    const kept = state.windows.value.filter((one) => one.name !== state.windowName.value);
    const now = { shape: state.shape.value, caption: captionOf(state, found?.is_searched ?? true), isCurrent: true };
    windows.windows = [
      ...kept.map((one) => ({ box: one, shape: one.shape ?? found?.window.shape ?? "rectangle", caption: one.name, isCurrent: false })),
      ...(box ? [{ box, ...now }] : []),
    ];
    search.gaps = (found?.search?.gaps ?? []).map(([x, y, width, height]) => ({ x, y, width, height }));
    search.part = (found?.search?.part ?? []).map((ring) => ring.map(([x, y]) => ({ x, y })));
    marks.current?.show((cell) => state.isCandidate(cell));
    view.current?.redraw();
  };
  useEffect(draw);
  const showWindow = () => {
    const box = state.box.value;
    // With room for what is written above it.
    if (box) view.current?.fit({ ...box, y: box.y - box.height * 0.05, height: box.height * 1.05 });
  };
  useEffect(() => {
    follow.current = new Follow(work, round, slide.id, () => (isLoaded.value = true));
    const unwatch = work.table.watch(() => (loaded.value += 1));
    begin();
    return () => {
      unwatch();
      follow.current?.stop();
      state.close();
    };
  }, [state]);
  const begin = () => {
    void follow.current?.refresh().catch(sayError);
    state.open().then(showWindow, sayError);
  };
  /** What the search has found stands at the top; who has started it looks farther down. */
  const searched = () => {
    begin();
    document.querySelector(".panel")?.scrollTo({ top: 0 });
  };
  const showProposals = (proposed: ProposedSoFar) => {
    proposals.proposed = proposed;
    view.current?.redraw();
  };
  const toHotSpot = () => void state.recount("hot spot").then((isFound) => isFound && showWindow());
  const select = (cell: Cell | null) => {
    state.selected.value = cell?.id ?? null;
    if (cell) state.look(cell);
    if (marks.current) marks.current.selected = state.selected.value;
    view.current?.redraw();
  };
  const stageCells = useMemo<StageCells>(() => {
    const selectById = (cell: number) => select(work.table.get(cell) ?? null);
    return {
      work,
      labels,
      comments: new Comments(work, round.id, slide.id),
      layer: () => marks.current,
      selected: state.selected,
      select: selectById,
      isList: true,
    };
  }, [work]);
  const goTo = (cell: Cell) => {
    select(cell);
    view.current?.goTo(cell, { magnification: CLOSE });
  };
  const step = (by: 1 | -1) => {
    const next = stepFrom(cells, state.selected.value, by);
    if (next) goTo(next);
    else say("No candidate lies in this window.");
  };
  const aboutChosen = (act: (cell: Cell) => void) => () => {
    if (chosen) act(chosen);
    else say("Select a candidate first: click it, or press N.");
  };
  const onward = (cell: Cell) => {
    if (cells.some((one) => one.id === cell.id)) step(1);
  };
  const give = (label: number) =>
    aboutChosen((cell) => {
      work.label(cell.id, label);
      if (state.unsure.value.has(cell.id)) state.setUnsure(cell.id, false);
      onward(cell);
    })();
  const giveAtypical = () => {
    if (found?.atypical_label) give(found.atypical_label);
    else say("This study has no class for atypical figures.", { mend: "The lead adds it under Study, Classes." });
  };
  const setUnsure = aboutChosen((cell) => {
    if (cell.own && cell.label) return say("You have judged this one: undo that first.");
    const isUnsure = !state.unsure.value.has(cell.id);
    const turn = (to: boolean) => () => state.setUnsure(cell.id, to);
    turn(isUnsure)();
    work.history.did({ title: isUnsure ? "Unsure" : "No longer unsure", of: cell.id, undo: turn(!isUnsure), redo: turn(isUnsure) });
    if (isUnsure) onward(cell);
  });
  const removeAdded = aboutChosen((cell) => {
    if (!cell.own || cell.score !== null) return say("Only figures that you have added can be removed; reject this one.");
    work.remove(cell.id);
    select(null);
  });
  const add = (at: Point) => {
    const { current } = view;
    const label = state.found.value?.mitotic_label; // of now: the tool was made before the case was there
    if (!current || !label || at.x < 0 || at.y < 0 || at.x >= slide.width || at.y >= slide.height) return;
    if ((current.magnification ?? LEAST_TO_LABEL) < LEAST_TO_LABEL) {
      current.goTo(at, { magnification: 20 });
      return say("Too small to tell a figure: shown at 20×. Click the figure.");
    }
    select(work.table.get(work.create(slide.id, at, label)) ?? null);
    if (!state.holds(at)) say("Marked outside of the window: it is not in this count.");
  };
  work.onConflict = () => void follow.current?.refresh().catch(sayError);
  work.onSaved = () => state.recountSoon();
  work.onReturn = (cell) => select(work.table.get(cell) ?? null);
  useCommands("Case", [
    { keys: ["a", "1"], title: "Accept: mitotic figure, and on to the next", run: () => give(figure) },
    { keys: ["r", "2"], title: "Reject, and on to the next", run: () => give(other) },
    { keys: ["t", "3"], title: "Atypical mitotic figure, and on to the next", run: giveAtypical },
    { keys: ["u", "4"], title: "Unsure: leave it undecided, and on to the next", run: setUnsure },
    { keys: ["c"], title: "Comment on the candidate", run: aboutChosen(() => comment.current?.focus()) },
    { keys: ["n"], title: "Next candidate in the window", run: () => step(1) },
    { keys: ["p"], title: "Previous candidate in the window", run: () => step(-1) },
    { keys: ["f"], title: "Add missed figures by clicks, on or off", run: () => (isAdding.value = !isAdding.value) },
    { keys: ["Delete", "Backspace"], title: "Remove a figure that you have added", run: removeAdded },
    { keys: ["Escape"], title: "Add no more figures; select nothing", run: () => ((isAdding.value = false), select(null)) },
    { keys: ["h"], title: "Window back to the hot spot", run: toHotSpot },
    { keys: ["w"], title: "Show the whole window", run: showWindow },
    { keys: ["Ctrl+Z"], title: "Undo", run: () => work.undo() },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], title: "Redo", run: () => work.redo() },
  ]);
  const ready = (made: SlideView) => {
    const layer = new CellsLayer(work.table, picture, labels, CANDIDATE);
    const regions = new RegionsLayer();
    const added = new AddedLayer(() => [...work.table.all()].filter((cell) => state.stateOf(cell) === "added"), RADIUS_PX0);
    [view.current, marks.current] = [made, layer];
    const pick = (pointer: Pointer) =>
      work.table.nearest(pointer.slide.x, pointer.slide.y, Math.max(RADIUS_PX0, 9 / made.frame.scale), (cell) => layer.isShown(cell));
    const inner = {
      click: (at: Pointer) => {
        const cell = pick(at);
        if (cell || !isAdding.value) select(cell);
        else add(at.slide);
      },
      cursor: (at: Pointer) => (pick(at) ? "pointer" : isAdding.value ? "crosshair" : ""),
    };
    made.tool = new WindowTool(
      () => (isAdding.value ? null : state.box.value),
      () => made.frame,
      slide,
      (at) => state.moveTo(at),
      inner,
    );
    for (const one of [regions, search, proposals, windows, layer, added]) made.addLayer(one);
    loadRegions(slide.id, regions, made);
    showWindow();
    let timer = 0;
    const unwatch = made.watch(() => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => noteSeen(made, state), REST_MS);
    });
    const unfollow = work.table.watch(() => made.redraw());
    return () => {
      window.clearTimeout(timer);
      unwatch();
      unfollow();
    };
  };
  const isBare = isLoaded.value && found !== null && !found.is_searched;
  return (
    <div class="work case">
      <div class="case-main">
        <Stage picture={picture} name={slide.name} thumbnail={`/api/slides/${slide.id}/thumbnail.jpg?size=512`} cells={stageCells} onReady={ready}>
          {isAdding.value && (
            <p class="hint" role="status">
              Click a missed figure. <kbd>Esc</kbd> ends, <kbd>Ctrl Z</kbd> takes back.
            </p>
          )}
        </Stage>
        <Filmstrip state={state} slide={slide} cells={cells} order={order} onChoose={goTo} />
      </div>
      <Panel label="Case">
        <CountPanel state={state} onHotSpot={toHotSpot} onShow={showWindow} />
        {isBare && <NoCandidates slide={slide} onDone={searched} onProposals={showProposals} />}
        <CandidatePanel
          comments={stageCells.comments}
          state={state}
          cell={chosen}
          isAdding={isAdding}
          comment={comment}
          onAccept={() => give(figure)}
          onReject={() => give(other)}
          onAtypical={giveAtypical}
          onUnsure={setUnsure}
          onRemove={removeAdded}
          onStep={step}
        />
        <Signature
          counted={state.counted.value}
          windowName={state.windowName.value}
          isSearched={found?.is_searched ?? true}
          results={found?.results ?? []}
          onAsk={() => state.settle()}
          onSign={(stated) => state.sign(stated)}
        />
        {!isBare && <Threshold state={state} />}
        <WindowChoice state={state} />
        <KeptWindows state={state} onShow={showWindow} />
        <Grading state={state} round={round} />
      </Panel>
    </div>
  );
}

function noteSeen(view: SlideView, state: CaseState): void {
  const { frame } = view;
  const [box, squares, { mpp }] = [state.box.value, state.found.value?.squares, view.picture];
  if (!box || !squares || mpp === null || magnificationOf(frame.scale, mpp) < LEAST_TO_LABEL * 0.99) return;
  state.saw(squaresIn(squares, box, frame, (at) => view.isSharp(at)));
}

function captionOf({ counted, windowName }: CaseState, isSearched: boolean): string {
  const count = counted.value?.count ?? null;
  const figures = count === 1 ? "1 mitotic figure" : `${count} mitotic figures`;
  const said = count === null ? "no count" : count === 0 && !isSearched ? "not searched" : figures;
  return windowName.value ? `${windowName.value}: ${said}` : said;
}
