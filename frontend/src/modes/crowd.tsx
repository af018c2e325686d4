import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { get } from "../api/request";
import type { GoldSet, NextTile, Round, Standing, TileAnswered } from "../api/types";
import { useCommands } from "../keys/commands";
import { go, route } from "../state/route";
import { isLead, sayError, slideOf, theOutbox, write } from "../state/session";
import { Empty, Panel, Progress, Section } from "../ui/panel";
import { say } from "../ui/toast";
import { BoxLayer } from "../viewer/box-layer";
import { CROWD_BOX, INK, INTEREST } from "../viewer/colours";
import { isOpenSlide, pictureOf } from "../viewer/picture";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import { BoxTool, type BoxList } from "./box-tool";

/** Tiles for many eyes: boxes around figures, or yes and no; gold tiles tell who sees well (Crowd). */
export function Crowd({ round }: { round: Round }) {
  const next = useSignal<NextTile | null>(null);
  const boxes = useSignal<readonly BoxList[]>([]);
  const selected = useSignal<number | null>(null);
  const since = useRef(performance.now());
  const isSending = useRef(false);
  const wantsBoxes = round.kind === "crowd boxes";
  /** The lead says what is known of tiles, which makes them gold. */
  const isForGold = isLead() && route.value[2] === "gold";
  const passed = useRef<number[]>([]);

  const load = async () => {
    try {
      const query = isForGold ? `?for_gold=1&skip=${passed.current.slice(-200).join(",")}` : "";
      next.value = await get<NextTile>(`/api/rounds/${round.id}/tiles/next${query}`);
      [boxes.value, selected.value] = [[], null];
      since.current = performance.now();
    } catch (error) {
      sayError(error);
    }
  };
  useEffect(() => void load(), [round.id, isForGold]);
  const answer = (answered: { boxes: readonly BoxList[] } | { answer: boolean }) => {
    const tile = next.value?.tile;
    if (!tile) return;
    if (isSending.current) return;
    isSending.current = true;
    if (isForGold) {
      void write<GoldSet>("POST", `/api/rounds/${round.id}/tiles/${tile.id}/gold`, answered)
        .then((done) => (done ? load() : undefined))
        .finally(() => (isSending.current = false));
      return;
    }
    const body = { ...answered, seconds: (performance.now() - since.current) / 1000 };
    const path = `/api/rounds/${round.id}/tiles/${tile.id}/answer`;
    const sent = theOutbox().send<TileAnswered>({ path, body, title: `Tile ${tile.id}` });
    // The answer decides which tile comes next: gold, another, or none.
    void sent
      .then(({ feedback }) => {
        if (feedback) say(feedback.is_right ? "Right." : "Not quite: this test tile was answered differently.");
        return load();
      }, sayError)
      .finally(() => (isSending.current = false));
  };
  const another = () => {
    if (next.value?.tile) passed.current.push(next.value.tile.id);
    void load();
  };
  const removeBox = () => {
    boxes.value = boxes.value.filter((_, at) => at !== (selected.value ?? boxes.value.length - 1));
    selected.value = null;
  };
  useCommands(
    "Tile",
    wantsBoxes
      ? [
          { keys: ["Enter", "n"], title: "Done, next tile", run: () => answer({ boxes: boxes.value }) },
          { keys: ["Delete", "Backspace"], title: "Remove the selected or last box", run: removeBox },
        ]
      : [
          { keys: ["y", "1"], title: "Yes, a mitotic figure", run: () => answer({ answer: true }) },
          { keys: ["n", "2"], title: "No mitotic figure", run: () => answer({ answer: false }) },
        ],
  );
  const now = next.value;
  if (!now) return <Empty title="Loading …" />;
  if (!isForGold && now.qualification.state === "failed") return <Failed state={now.qualification} />;
  if (!now.tile) return isForGold ? <AllGold /> : <AllSeen answered={now.answered} />;
  return (
    <div class="work">
      <Tile tile={now.tile} boxes={boxes} selected={selected} wantsBoxes={wantsBoxes} />
      <Panel label="Tile">
        <Section title={isForGold ? "Gold tiles" : wantsBoxes ? "Boxes" : "Yes or no"}>
          {isForGold ? (
            <>
              <Progress done={now.answered} of={now.of} what="tiles are gold" />
              <p class="soft">What you answer here is the known answer by which the raters are tested.</p>
              <button type="button" onClick={another}>
                Another tile
              </button>
              <a class="button" href="#/study/rounds">
                Back to the rounds
              </a>
            </>
          ) : (
            <>
              <Progress done={now.answered} of={now.of} what="tiles" />
              <TestState state={now.qualification} />
            </>
          )}
        </Section>
        {wantsBoxes ? (
          <Section title={boxes.value.length === 1 ? "1 box" : `${boxes.value.length} boxes`}>
            <p class="soft">Drag a box around each mitotic figure.</p>
            <div class="row">
              <button type="button" disabled={boxes.value.length === 0} onClick={removeBox}>
                Remove
              </button>
              <button type="button" class="primary grow" onClick={() => answer({ boxes: boxes.value })}>
                {boxes.value.length === 0 ? "Nothing here" : "Done"}, next <kbd>↵</kbd>
              </button>
            </div>
          </Section>
        ) : (
          <Section title="Is there a mitotic figure?">
            <div class="row">
              <button type="button" class="grow" onClick={() => answer({ answer: true })}>
                Yes <kbd>Y</kbd>
              </button>
              <button type="button" class="grow" onClick={() => answer({ answer: false })}>
                No <kbd>N</kbd>
              </button>
            </div>
          </Section>
        )}
      </Panel>
    </div>
  );
}

interface TileProperties {
  tile: NonNullable<NextTile["tile"]>;
  boxes: { value: readonly BoxList[] };
  selected: { value: number | null };
  wantsBoxes: boolean;
}

function Tile({ tile, boxes, selected, wantsBoxes }: TileProperties) {
  const slide = slideOf(tile.slide);
  const isOpen = isOpenSlide(slide);
  const picture = useMemo(() => (isOpen ? pictureOf(slide) : null), [tile.slide, isOpen]);
  const layer = useMemo(() => new BoxLayer(), []);
  const tool = useMemo(() => new BoxTool(boxes, selected), []);
  const view = useRef<SlideView | null>(null);
  const { x, y, side } = tile;
  layer.boxes = [
    { box: { x, y, width: side, height: side }, colour: INTEREST },
    ...boxes.value.map(([left, top, width, height], at) => ({
      box: { x: left, y: top, width, height },
      colour: at === selected.value ? INK : CROWD_BOX,
      width: 2,
    })),
  ];
  tool.bounds = { x, y, width: side, height: side };
  view.current?.redraw();
  useEffect(() => view.current?.fit({ x, y, width: side, height: side }, true), [tile.id]);
  if (!picture || !slide) return <Empty title="The slide of this tile cannot be shown.">{slide?.reason && <p>{slide.reason}</p>}</Empty>;
  return (
    <Stage
      picture={picture}
      name={`tile ${tile.id}`}
      onReady={(made) => {
        view.current = made;
        made.addLayer(layer);
        if (wantsBoxes) made.tool = tool;
        tool.onChange = () => made.redraw();
        made.fit({ x, y, width: side, height: side }, true);
      }}
    />
  );
}

function TestState({ state }: { state: Standing }) {
  if (state.needed === 0) return null;
  if (state.state === "qualified") return <p class="good">Qualified.</p>;
  return (
    <p class="soft">
      Test: {state.done} of {state.needed} tiles; {Math.round(state.pass_mark * 100)} % right to qualify.
    </p>
  );
}

function Failed({ state }: { state: Standing }) {
  return (
    <Empty title="The test was not passed.">
      <p>
        {state.score === null ? "" : `${Math.round(state.score * 100)} % were right; `}
        {Math.round(state.pass_mark * 100)} % are asked for. Talk to the lead of the study.
      </p>
      <button type="button" onClick={() => go("/")}>
        Back to my work
      </button>
    </Empty>
  );
}

function AllGold() {
  return (
    <Empty title="The answer of every tile is known.">
      <a class="button" href="#/study/rounds">
        Back to the rounds
      </a>
    </Empty>
  );
}

function AllSeen({ answered }: { answered: number }) {
  return (
    <Empty title={answered === 0 ? "There are no tiles in this round yet." : "You have answered all tiles."}>
      {answered > 0 && <p>Thank you for {answered} tiles.</p>}
      <button type="button" onClick={() => go("/")}>
        Back to my work
      </button>
    </Empty>
  );
}
