import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { People, Person, StaffedRound, StaffedRounds } from "../api/types";
import { enter, me, sayError, write } from "../state/session";
import { CrowdTiles } from "./crowd-tiles";
import { NewBoard } from "./new-board";
import { NewReview } from "./new-review";
import { NewRound } from "./new-round";
import { Export } from "./export";
import { RatersOf } from "./raters-of";
import { ReviewSteps } from "./review-steps";

/** Which work there is, who does it, and what they are shown. */
export function Rounds() {
  const [rounds, setRounds] = useState<readonly StaffedRound[]>([]);
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [open, setOpen] = useState<"round" | "review" | StaffedRound | null>(null);
  const [tiles, setTiles] = useState<StaffedRound | null>(null);
  const load = async () => {
    try {
      setRounds((await get<StaffedRounds>("/api/rounds")).rounds);
      setPeople((await get<People>("/api/raters")).raters.filter((one) => one.role !== null));
    } catch (error) {
      sayError(error);
    }
  };
  useEffect(() => void load(), []);
  const done = () => {
    setOpen(null);
    void load();
    void enter();
  };
  const change = async (round: StaffedRound, what: object) => {
    await write("PUT", `/api/rounds/${round.id}`, what);
    done();
  };
  return (
    <>
      <div class="bar">
        <button type="button" class="primary" onClick={() => setOpen("round")}>
          New round
        </button>
        <button type="button" onClick={() => setOpen("review")}>
          Candidates from a file
        </button>
        <span class="grow" />
        <Export />
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">Round</th>
            <th scope="col">Kind</th>
            <th scope="col">Raters</th>
            <th scope="col">Slides</th>
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          {rounds.map((round) => (
            <tr key={round.id}>
              <th scope="row">
                <bdi>{round.name}</bdi>
                {round.is_blinded && <small> blinded</small>}
                {!round.is_open && <small> closed</small>}
              </th>
              <td class="steady">{round.kind === "unstated" ? "free labelling" : round.kind}</td>
              <td>
                <bdi class="two-lines" title={names(round, people)}>
                  {names(round, people)}
                </bdi>
              </td>
              <td class="soft steady">
                {round.slides.length} of {me.value?.slides.length ?? 0}
              </td>
              <td>
                <div class="row tight end">
                  {round.review !== null && rounds.find((one) => one.review === round.review) === round && <ReviewSteps name={round.review} people={people} onDone={done} />}
                  {round.kind.startsWith("crowd") && (
                    <button type="button" onClick={() => setTiles(round)}>
                      Tiles
                    </button>
                  )}
                  <button type="button" onClick={() => setOpen(round)}>
                    Raters
                  </button>
                  <button type="button" onClick={() => void change(round, { is_open: !round.is_open })}>
                    {round.is_open ? "Close" : "Open"}
                  </button>
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <NewBoard />
      {open === "round" && <NewRound people={people} onDone={done} onClose={() => setOpen(null)} />}
      {open === "review" && <NewReview people={people} onDone={done} onClose={() => setOpen(null)} />}
      {open !== null && typeof open === "object" && (
        <RatersOf round={open} people={people} onSave={(raters) => void change(open, { raters })} onClose={() => setOpen(null)} />
      )}
      {tiles && <CrowdTiles round={tiles} onClose={() => setTiles(null)} />}
    </>
  );
}

function names(round: StaffedRound, people: readonly Person[]): string {
  const found = round.raters.map((id) => people.find((one) => one.id === id)?.name ?? `rater ${id}`);
  return found.length > 0 ? found.join(", ") : "nobody";
}
