import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { CrowdConcluded, CrowdTiles as Tiles, Round } from "../api/types";
import { me, sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";

/** The tiles of a crowd round: proposed over tissue, answered, merged into cells. */
export function CrowdTiles({ round, onClose }: { round: Round; onClose(): void }) {
  const path = `/api/rounds/${round.id}/tiles`;
  const [listing, setListing] = useState<Tiles | null>(null);
  const [slide, setSlide] = useState(round.slides[0] ?? 0);
  const [n, setN] = useState(20);
  const load = () => get<Tiles>(path).then(setListing, sayError);
  useEffect(() => void load(), [path]);
  const propose = async () => {
    if (await write("POST", path, { propose: { slide, n } })) await load();
  };
  const conclude = async () => {
    const done = await write<CrowdConcluded>("POST", `/api/rounds/${round.id}/conclude`);
    if (done) say(`${done.cells} cells with their agreement are in the study.`);
  };
  const answered = listing?.tiles.filter((tile) => tile.reviewers > 0).length ?? 0;
  return (
    <Dialog title={`Tiles of ${round.name}`} onClose={onClose}>
      <div class="form">
        <p>
          <b>{listing?.tiles.length ?? 0}</b> tiles, {listing?.tiles.filter((tile) => tile.is_gold).length ?? 0} of them gold; {answered} answered.
        </p>
        {listing && listing.raters.length > 0 && (
          <table>
            <tbody>
              {listing.raters.map((rater) => (
                <tr key={rater.id}>
                  <th scope="row">
                    <bdi>{rater.name}</bdi>
                  </th>
                  <td>{rater.qualification.state}</td>
                  <td class="number">{rater.answered} tiles</td>
                  <td class="number">{rater.seconds_median === null ? "" : `${rater.seconds_median.toFixed(1)} s`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        <div class="bar">
          <label class="field grow">
            <span>Slide</span>
            <select value={slide} onChange={(event) => setSlide(Number(event.currentTarget.value))}>
              {me.value?.slides
                .filter((one) => round.slides.includes(one.id))
                .map((one) => (
                  <option key={one.id} value={one.id}>
                    {one.name}
                  </option>
                ))}
            </select>
          </label>
          <label class="field narrow">
            <span>Tiles</span>
            <input type="number" min={1} max={1000} value={n} onInput={(event) => setN(event.currentTarget.valueAsNumber || 1)} />
          </label>
          <button type="button" onClick={() => void propose()}>
            Add over tissue
          </button>
        </div>
        {round.kind === "crowd boxes" && (
          <div class="actions">
            <button type="button" class="primary" disabled={answered === 0} onClick={() => void conclude()}>
              Merge the boxes into cells
            </button>
          </div>
        )}
      </div>
    </Dialog>
  );
}
