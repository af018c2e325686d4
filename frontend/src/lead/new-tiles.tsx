import { useState } from "preact/hooks";
import type { StaffedRound, TilesAdded } from "../api/types";
import { me, write } from "../state/session";
import { say } from "../ui/toast";
import { NumberField } from "../ui/number-field";

const WAYS = [
  ["tissue", "At random over the tissue of a slide"],
  ["top", "The best of each slide, by a model’s score"],
  ["above", "All above a score, and a share of the others"],
  ["slides", "All tiles of some slides at random"],
  ["file", "From the file of “curate select”"],
] as const;

/** Which tiles are put before the raters; tiles of glass never are. */
export function NewTiles({ round, side: usual, onAdded }: { round: StaffedRound; side: number; onAdded(): void }) {
  const [way, setWay] = useState<(typeof WAYS)[number][0]>("tissue");
  const [slide, setSlide] = useState(round.slides[0] ?? 0);
  const [n, setN] = useState(20);
  const [threshold, setThreshold] = useState(0.2);
  const [share, setShare] = useState(0.1);
  const [side, setSide] = useState(usual);
  const [file, setFile] = useState<File | null>(null);
  const body = async () => {
    if (way === "tissue") return { propose: { slide, n }, side };
    if (way === "file") return { choice: await file?.text() };
    return { choose: { rule: way, n, threshold, share_below: share }, side };
  };
  const add = async (event: Event) => {
    event.preventDefault();
    const done = await write<TilesAdded>("POST", `/api/rounds/${round.id}/tiles`, await body());
    if (!done) return;
    const left = done.left_out > 0 ? `; ${done.left_out.toLocaleString("en")} are glass, or cut by the border` : "";
    say(`${done.tiles.toLocaleString("en")} new tiles${left}.`);
    onAdded();
  };
  return (
    <section>
      <h3>Tiles</h3>
      <form class="bar wrap" onSubmit={(event) => void add(event)}>
        <label class="field">
          <span>Which</span>
          <select value={way} onChange={(event) => setWay(event.currentTarget.value as typeof way)}>
            {WAYS.map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </label>
        {way === "tissue" && (
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
        )}
        {way === "above" && (
          <>
            <NumberField title="Score above" value={threshold} min={0} max={1} step={0.01} onChange={setThreshold} />
            <NumberField title="Share below" value={share} min={0} max={1} step={0.01} onChange={setShare} />
          </>
        )}
        {(way === "tissue" || way === "top") && <NumberField title={way === "top" ? "Of each slide" : "Tiles"} value={n} min={1} max={5000} onChange={setN} />}
        {way === "slides" && <NumberField title="Slides" value={n} min={1} max={5000} onChange={setN} />}
        {way === "file" ? (
          <label class="field grow">
            <span>File</span>
            <input type="file" accept=".csv,text/csv" onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)} />
          </label>
        ) : (
          <NumberField title="Side, px" value={side} min={16} onChange={setSide} />
        )}
        <button type="submit" class="primary" disabled={way === "file" && file === null}>
          Add
        </button>
      </form>
    </section>
  );
}
