import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { BoardLearning, BoardLearningChanged, Person } from "../api/types";
import { sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { Choice } from "./choice";

const EVERY_MS = 3000;

interface Properties {
  people: readonly Person[];
  onDone(): void;
}

/** A board's layout is learnt in a process of its own, where the libraries for it are installed. */
export function NewBoard({ people, onDone }: Properties) {
  const [now, setNow] = useState<BoardLearning | null>(null);
  const [isAsked, ask] = useState(false);
  const isLearning = now?.state === "learning";
  useEffect(() => {
    let timer = 0;
    let isOver = false;
    const again = async () => {
      try {
        const found = await get<BoardLearning>("/api/board-learning");
        if (isOver) return;
        setNow(found);
        if (found.state === "learning") timer = window.setTimeout(() => void again(), EVERY_MS);
        else if (isLearning) onDone();
      } catch (error) {
        sayError(error);
      }
    };
    void again();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isLearning]);
  if (!now) return null;
  const stop = async () => setNow((await write<BoardLearningChanged>("POST", "/api/board-learning/stop", {})) ?? now);
  return (
    <section class="aside">
      <h2>A similarity board</h2>
      <p>
        It lays alike cells side by side, so that the one among others is seen. Its layout is learnt from all cells of the study, which takes minutes to hours.
      </p>
      {now.install !== null ? (
        <>
          <p>What it needs is not installed. On the machine with the study:</p>
          <code class="command">{now.install}</code>
        </>
      ) : isLearning ? (
        <div class="bar wrap" role="status">
          <span>
            Learning <bdi>{now.name}</bdi>: {now.said.replace(/^Board: /, "")}
          </span>
          <button type="button" onClick={() => void stop()}>
            Stop
          </button>
        </div>
      ) : (
        <div class="bar wrap">
          <button type="button" disabled={now.cells < 4} onClick={() => ask(true)}>
            New board of {now.cells.toLocaleString("en")} cells …
          </button>
          {now.state === "failed" && <span class="warn">The last one failed: {now.said}</span>}
        </div>
      )}
      {isAsked && <AskBoard people={people} onStarted={setNow} onClose={() => ask(false)} />}
    </section>
  );
}

function AskBoard({ people, onStarted, onClose }: { people: readonly Person[]; onStarted(now: BoardLearning): void; onClose(): void }) {
  const [name, setName] = useState("board");
  const [raters, setRaters] = useState<ReadonlySet<number>>(new Set());
  const submit = async (event: Event) => {
    event.preventDefault();
    const answer = await write<BoardLearningChanged>("POST", "/api/board-learning", { name: name.trim(), raters: [...raters] });
    if (!answer) return;
    onStarted(answer);
    onClose();
  };
  return (
    <Dialog title="New board" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <p class="soft">Others can work meanwhile. The round opens when the board is ready.</p>
        <label class="field">
          <span>Name of the board</span>
          <input value={name} maxLength={150} required onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <Choice legend="Raters" options={people} chosen={raters} onChange={setRaters} />
        <div class="actions">
          <button type="submit" class="primary" disabled={raters.size === 0 || name.trim() === ""}>
            Start
          </button>
        </div>
      </form>
    </Dialog>
  );
}
