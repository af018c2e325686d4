import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { Confirmed, ConfirmationAsked, People, Person, StaffedRound } from "../api/types";
import { sayError, write } from "../state/session";
import { say } from "../ui/toast";
import { Choice } from "./choice";
import { share } from "./crowd-raters";
import { NumberField } from "../ui/number-field";

interface Properties {
  round: StaffedRound;
  confirmations: readonly Confirmed[];
  onAsked(): void;
}

/** Experts look at some random tiles again: they accept or reject each box and add what is missing (Crowd). */
export function ConfirmBoxes({ round, confirmations, onAsked }: Properties) {
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [tiles, setTiles] = useState(500);
  const name = `${round.name}, confirmed${confirmations.length > 0 ? ` ${confirmations.length + 1}` : ""}`;
  useEffect(() => {
    get<People>("/api/raters").then(({ raters }) => setPeople(raters.filter((one) => one.role !== null && one.kind === "expert")), sayError);
  }, []);
  const ask = async () => {
    const body = { name, tiles, raters: [...chosen] };
    if (!(await write<ConfirmationAsked>("POST", `/api/rounds/${round.id}/confirmation`, body))) return;
    say(`The round “${name}” waits for the experts.`);
    onAsked();
  };
  return (
    <section>
      <h3>Confirmed by experts</h3>
      {confirmations.map((one) => (
        <p key={one.round_id}>
          <bdi>{one.name}</bdi>: {one.read} of {one.cells} boxes read, {one.confirmed} confirmed
          {one.read > 0 && ` (${share(one.confirmed / one.read)})`}, {one.added} cells added.
        </p>
      ))}
      <Choice legend="Who looks again" options={people} chosen={chosen} onChange={setChosen} />
      <div class="bar wrap">
        <NumberField title="Random tiles" value={tiles} min={1} max={100_000} onChange={setTiles} />
        <button type="button" disabled={chosen.size === 0} onClick={() => void ask()}>
          Ask the experts
        </button>
      </div>
    </section>
  );
}
