import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { People, Person, RaterWork, StaffedRound, StaffedRounds, WorkProgress } from "../api/types";
import { enter, sayError, write } from "../state/session";
import { blindedBy } from "./blinded";
import { CrowdTiles } from "./crowd-tiles";
import { HardExamples } from "./hard-examples";
import { NewBoard } from "./new-board";
import { NewReview } from "./new-review";
import { NewRound } from "./new-round";
import { RatersOf } from "./raters-of";
import { WorkCard } from "./work-card";
import { isOpen, roundsOf, worksOf, type Work } from "./works";

/** Which work there is, who does it and how far it is; the rounds of a review are one piece of work. */
export function Rounds() {
  const [found, setFound] = useState<StaffedRounds>({ rounds: [], reviews: [] });
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [progress, setProgress] = useState<readonly RaterWork[]>([]);
  const [open, setOpen] = useState<"round" | "review" | "hard" | null>(null);
  const [staffed, setStaffed] = useState<Work | null>(null);
  const [tiles, setTiles] = useState<StaffedRound | null>(null);
  const load = async () => {
    try {
      setFound(await get<StaffedRounds>("/api/rounds"));
      setPeople((await get<People>("/api/raters")).raters.filter((one) => one.role !== null));
      setProgress((await get<WorkProgress>("/api/progress")).rows);
    } catch (error) {
      if (!blindedBy(error)) sayError(error);
    }
  };
  useEffect(() => void load(), []);
  const done = () => {
    setOpen(null);
    setStaffed(null);
    void load();
    void enter();
  };
  const change = async (rounds: readonly StaffedRound[], what: object) => {
    for (const round of rounds) {
      if (!(await write("PUT", `/api/rounds/${round.id}`, what))) break;
    }
    done();
  };
  const works = worksOf(found);
  const isIdle = (work: Work) => roundsOf(work).every((round) => round.raters.length === 0 && !progress.some((row) => row.round === round.id));
  const card = (work: Work) => (
    <WorkCard
      key={work.key}
      work={work}
      progress={progress}
      people={people}
      onRaters={() => setStaffed(work)}
      onTiles={setTiles}
      onChange={(rounds, what) => void change(rounds, what)}
      onDone={done}
    />
  );
  const [going, idle, over] = [
    works.filter((work) => isOpen(work) && !isIdle(work)),
    works.filter((work) => isOpen(work) && isIdle(work)),
    works.filter((work) => !isOpen(work)),
  ];
  return (
    <>
      <div class="bar wrap">
        <button type="button" class="primary" onClick={() => setOpen("round")}>
          New round
        </button>
        <button type="button" onClick={() => setOpen("review")}>
          Candidates from a file
        </button>
        <button type="button" onClick={() => setOpen("hard")}>
          Hard examples
        </button>
      </div>
      <div class="works">{going.map(card)}</div>
      <Folded title="Nobody works here yet" works={idle} card={card} />
      <Folded title="Closed" works={over} card={card} />
      <NewBoard people={people} onDone={done} />
      {open === "round" && <NewRound people={people} onDone={done} onClose={() => setOpen(null)} />}
      {open === "review" && <NewReview people={people} onDone={done} onClose={() => setOpen(null)} />}
      {open === "hard" && <HardExamples people={people} onDone={done} onClose={() => setOpen(null)} />}
      {staffed && (
        <RatersOf
          name={staffed.title}
          raters={[...new Set((staffed.passes[0]?.rounds ?? []).flatMap((round) => round.raters))]}
          people={people}
          onSave={(raters) => void change(staffed.passes[0]?.rounds ?? [], { raters })}
          onClose={() => setStaffed(null)}
        />
      )}
      {tiles && <CrowdTiles round={tiles} onClose={() => setTiles(null)} />}
    </>
  );
}

function Folded({ title, works, card }: { title: string; works: readonly Work[]; card(work: Work): preact.JSX.Element }) {
  if (works.length === 0) return null;
  return (
    <details class="folded">
      <summary>
        {title} <small>{works.length}</small>
      </summary>
      <div class="works">{works.map(card)}</div>
    </details>
  );
}
