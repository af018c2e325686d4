import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get } from "../api/request";
import type { BoardColumns, ClassLabel, People, Person, Round, SecondAsked } from "../api/types";
import { useCommands } from "../keys/commands";
import { isLead, keep, labelName, studyLabels, sayError } from "../state/session";
import { contrast, theme } from "../state/theme";
import { Work } from "../state/work";
import { LabelKeys, labelCommands } from "../ui/label-keys";
import { Empty, Panel, Progress, Section } from "../ui/panel";
import { say } from "../ui/toast";
import { boardPicture } from "../viewer/picture";
import type { SlideView } from "../viewer/slide-view";
import { Stage } from "../viewer/stage";
import { BoardLayer, BoardTool } from "./board-tool";

const LOOK_AGAIN_MS = 1500;

/** The similarity board: all crops in one picture, re-classed where they stand (CODAEL). */
export function BoardReview({ round }: { round: Round }) {
  const [board, setBoard] = useState<BoardColumns | null>(null);
  useEffect(() => {
    let timer = 0;
    const look = () => {
      get<BoardColumns>(`/api/boards/${round.board}`).then((found) => {
        setBoard(found);
        if (found.state === "drawing") timer = window.setTimeout(look, LOOK_AGAIN_MS);
      }, sayError);
    };
    look();
    return () => window.clearTimeout(timer);
  }, [round.board]);
  if (!board) return <Empty title="Loading the board …" />;
  if (board.state === "failed") return <Empty title="The board could not be drawn.">{board.reason && <p>{board.reason}</p>}</Empty>;
  if (board.state === "drawing") {
    return (
      <Empty title="The board is being drawn.">
        <Progress done={Math.round(board.done)} of={Math.round(board.of)} what="parts" />
      </Empty>
    );
  }
  return <ReadyBoard board={board} />;
}

function ReadyBoard({ board }: { board: BoardColumns }) {
  const labels = useMemo(studyLabels, []);
  const work = useMemo(() => workOn(board), [board]);
  const picture = useMemo(() => boardPicture(board), [board]);
  const selected = useSignal<ReadonlySet<number>>(new Set());
  const isLasso = useSignal(false);
  const view = useRef<SlideView | null>(null);
  const before = useMemo(() => new Map(board.cell.map((cell, at) => [cell, board.before[at]!])), [board]);
  void work.count.value;
  const changed = [...work.table.all()].filter((cell) => cell.label !== before.get(cell.id));
  const redraw = () => view.current?.redraw();
  const give = (label: number) => {
    for (const cell of selected.value) if (work.table.get(cell)?.label !== label) work.label(cell, label);
    redraw();
  };
  const select = (cells: ReadonlySet<number>) => {
    selected.value = cells;
    redraw();
  };
  work.onReturn = redraw;
  useCommands("Board", [
    ...labelCommands(labels, give),
    { keys: ["l"], title: "Lasso on or off", run: () => (isLasso.value = !isLasso.value) },
    { keys: ["Escape"], title: "Select nothing", run: () => select(new Set()) },
    { keys: ["Ctrl+Z"], title: "Undo", run: () => work.undo() },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], title: "Redo", run: () => work.redo() },
  ]);
  const ready = (made: SlideView) => {
    view.current = made;
    const tool = new BoardTool(made, board, { isLasso: () => isLasso.value, selected: () => selected.value, onSelect: select });
    made.tool = tool;
    made.addLayer(new BoardLayer(board, work.table, labels, { selected: () => selected.value, before, lasso: () => tool.lasso }));
    const unwatch = [work.table.watch(redraw), theme.subscribe(redraw), contrast.subscribe(redraw)];
    return () => unwatch.forEach((one) => one());
  };
  return (
    <div class="work">
      <Stage picture={picture} name={board.name} hasPlaces={false} onReady={ready} />
      <Panel label="Board">
        <Section title="Board">
          <p>
            <b>{board.cell.length.toLocaleString("en")}</b> cells, alike ones side by side
          </p>
          <div class="segments" role="group" aria-label="What a drag does">
            <button type="button" aria-pressed={!isLasso.value} onClick={() => (isLasso.value = false)}>
              Move
            </button>
            <button type="button" aria-pressed={isLasso.value} onClick={() => (isLasso.value = true)}>
              Lasso <kbd>L</kbd>
            </button>
          </div>
        </Section>
        <Section title={selected.value.size === 1 ? "1 cell selected" : `${selected.value.size} cells selected`}>
          <LabelKeys labels={labels} current={common(selected.value, work)} onChoose={give} legend="Class of the selected cells" />
          {selected.value.size === 0 && <p class="soft">Click a crop, or draw a lasso around several.</p>}
        </Section>
        <div class="row">
          <button type="button" disabled={!work.canUndo.value} onClick={() => work.undo()}>
            Undo
          </button>
          <button type="button" disabled={!work.canRedo.value} onClick={() => work.redo()}>
            Redo
          </button>
        </div>
        <Changed cells={changed} before={before} labels={labels} onShow={(cell) => showCell(view.current, board, cell, select)} />
        {isLead() && changed.length > 0 && <SecondRater board={board} />}
      </Panel>
    </div>
  );
}

function workOn(board: BoardColumns): Work {
  const work = new Work(board.round);
  work.knowAll(board.cell, board.seen);
  work.table.replaceAll(
    board.cell.map((id, at) => ({
      id,
      x: (board.column[at]! + 0.5) * board.cell_px,
      y: (board.row[at]! + 0.5) * board.cell_px,
      label: board.label[at]!,
      score: null,
      own: board.label[at] !== board.before[at],
      rater: null,
    })),
  );
  return work;
}

function common(selected: ReadonlySet<number>, work: Work): number {
  const found = new Set([...selected].map((cell) => work.table.get(cell)?.label ?? 0));
  return found.size === 1 ? [...found][0]! : 0;
}

function showCell(view: SlideView | null, board: BoardColumns, cell: number, select: (cells: ReadonlySet<number>) => void): void {
  const at = board.cell.indexOf(cell);
  const side = board.cell_px;
  view?.goTo({ x: (board.column[at]! + 0.5) * side, y: (board.row[at]! + 0.5) * side }, { scale: 2 });
  select(new Set([cell]));
}

interface ChangedProperties {
  cells: readonly { id: number; label: number }[];
  before: ReadonlyMap<number, number>;
  labels: readonly ClassLabel[];
  onShow(cell: number): void;
}

function Changed({ cells, before, onShow }: ChangedProperties) {
  return (
    <Section title={`Changed: ${cells.length}`}>
      {cells.length === 0 && <p class="soft">No cell has another class than before.</p>}
      <ul class="list">
        {cells.map((cell) => (
          <li key={cell.id}>
            <button type="button" class="plain" onClick={() => onShow(cell.id)}>
              {labelName(before.get(cell.id) || null)} → <b>{labelName(cell.label || null)}</b>
            </button>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function SecondRater({ board }: { board: BoardColumns }) {
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [rater, setRater] = useState(0);
  useEffect(() => {
    get<People>("/api/raters").then(({ raters }) => setPeople(raters.filter((one) => one.is_open && one.role)), sayError);
  }, []);
  const send = async () => {
    const asked = { raters: [rater] };
    const done = await keep<SecondAsked>("POST", `/api/boards/${board.id}/second`, asked, "Second read of what changed");
    if (done) say(`${done.cells} changed cells wait for their second read, without the board.`);
  };
  return (
    <Section title="Second rater">
      <select value={rater} aria-label="Second rater" onChange={(event) => setRater(Number(event.currentTarget.value))}>
        <option value={0}>Choose …</option>
        {people.map((person) => (
          <option key={person.id} value={person.id}>
            {person.name}
          </option>
        ))}
      </select>
      <button type="button" disabled={rater === 0} onClick={() => void send()}>
        Send the changed cells
      </button>
    </Section>
  );
}
