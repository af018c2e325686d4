import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { CrowdConcluded, CrowdTiles as Tiles, StaffedRound } from "../api/types";
import { go } from "../state/route";
import { sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { NumberField } from "../ui/number-field";
import { say } from "../ui/toast";
import { ConfirmBoxes } from "./confirm-boxes";
import { CrowdRaters } from "./crowd-raters";
import { CrowdRules } from "./crowd-rules";
import { NewTiles } from "./new-tiles";

/** All that the lead does with a round of tiles: which ones, gold ones, who passed, what they made of them. */
export function CrowdTiles({ round, onClose }: { round: StaffedRound; onClose(): void }) {
  const path = `/api/rounds/${round.id}`;
  const [listing, setListing] = useState<Tiles | null>(null);
  const load = () => get<Tiles>(`${path}/tiles`).then(setListing, sayError);
  useEffect(() => void load(), [path]);
  const conclude = async () => {
    const done = await write<CrowdConcluded>("POST", `${path}/conclude`);
    if (!done) return;
    const later = done.changed + done.withdrawn > 0 ? ` ${done.changed} have another agreement, ${done.withdrawn} are no box any more.` : "";
    say(`${done.cells === 1 ? "1 new cell is" : `${done.cells} new cells are`} in the study, with the agreement on it.${later}`);
    void load();
  };
  return (
    <Dialog title={`Tiles of ${round.name}`} onClose={onClose} wide>
      <div class="form parts">
        {listing && <Summary listing={listing} />}
        {listing && <NewTiles round={round} side={sideOf(listing)} onAdded={() => void load()} />}
        {listing && <GoldTiles round={round} listing={listing} onAdded={() => void load()} />}
        <CrowdRules round={round} />
        {listing && listing.raters.length > 0 && <CrowdRaters raters={listing.raters} />}
        <section>
          <h3>Results</h3>
          <div class="bar wrap">
            {round.kind === "crowd boxes" && (
              <button type="button" class="primary" disabled={answered(listing) === 0} onClick={() => void conclude()}>
                Merge the boxes into cells
              </button>
            )}
            <a class="button" href={`${path}/tiles/file?format=csv`} download="">
              Tiles as CSV
            </a>
            <a class="button" href={`${path}/tiles/file?format=json`} download="">
              With boxes and answers, as JSON
            </a>
          </div>
        </section>
        {round.kind === "crowd boxes" && <ConfirmBoxes round={round} confirmations={listing?.confirmations ?? []} onAsked={() => void load()} />}
      </div>
    </Dialog>
  );
}

function answered(listing: Tiles | null): number {
  return listing?.tiles.filter((tile) => tile.reviewers > 0).length ?? 0;
}

function Summary({ listing }: { listing: Tiles }) {
  const gold = listing.tiles.filter((tile) => tile.is_gold);
  const enough = listing.tiles.filter((tile) => tile.holds_figure !== null);
  const figures = enough.filter((tile) => tile.holds_figure).length;
  const withFigure = gold.filter((tile) => tile.gold_has_figure).length;
  return (
    <p>
      <b>{listing.tiles.length.toLocaleString("en")}</b> tiles, {gold.length} of them gold
      {gold.length > 0 && ` (${withFigure} with a figure, ${gold.length - withFigure} without)`}; {answered(listing).toLocaleString("en")} answered,{" "}
      {enough.length.toLocaleString("en")} of them by enough: {figures.toLocaleString("en")} with a figure.
    </p>
  );
}

/** The tiles that are there say how large further ones are. */
function sideOf(listing: Tiles): number {
  return listing.tiles[0]?.side ?? 1000;
}

function GoldTiles({ round, listing, onAdded }: { round: StaffedRound; listing: Tiles; onAdded(): void }) {
  const [positive, setPositive] = useState(5);
  const [negative, setNegative] = useState(5);
  const [side, setSide] = useState(sideOf(listing));
  const draw = async () => {
    const done = await write("POST", `/api/rounds/${round.id}/tiles`, { gold_from_labels: { positive, negative }, side });
    if (!done) return;
    say(`${positive + negative} gold tiles were drawn from the settled labels.`);
    onAdded();
  };
  return (
    <section>
      <h3>Gold tiles</h3>
      <p class="soft">Raters are tested on tiles whose answer is known, and meet more of them later without being told.</p>
      <div class="bar wrap">
        <NumberField title="With a figure" value={positive} min={0} onChange={setPositive} />
        <NumberField title="Without" value={negative} min={0} onChange={setNegative} />
        <NumberField title="Side, px" value={side} min={16} onChange={setSide} />
        <button type="button" onClick={() => void draw()}>
          Draw from settled labels
        </button>
        <button type="button" disabled={listing.tiles.length === 0} onClick={() => go(`/round/${round.id}/gold`)}>
          Answer tiles as gold
        </button>
      </div>
    </section>
  );
}
