import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { ComparedCell, ComparedCells, Comparison as Found, RaterPair } from "../api/types";
import { labelName, sayError, slideOf } from "../state/session";
import { cropUrl } from "../viewer/picture";
import { Broad } from "../ui/broad";
import { blindedBy } from "./blinded";

const AGAIN_MS = 15_000;
const CROP_PX0 = 128;

/** How the readings stand now, what two experts said of the same cells, and the cells of each square. */
export function Comparison() {
  const [found, setFound] = useState<Found | null>(null);
  const [chosen, setChosen] = useState(0);
  useEffect(() => {
    const load = async () => {
      try {
        setFound(await get<Found>("/api/comparison"));
      } catch (error) {
        if (!blindedBy(error)) sayError(error);
      }
    };
    void load();
    const timer = window.setInterval(() => void load(), AGAIN_MS);
    return () => window.clearInterval(timer);
  }, []);
  if (found === null || found.read_twice === 0) return null;
  const pair = found.pairs[Math.min(chosen, found.pairs.length - 1)];
  return (
    <>
      <p class="stands">
        Two experts have read <b>{found.read_twice.toLocaleString("en")}</b> cells. On <b>{found.differ.toLocaleString("en")}</b> of them the first two differ (
        {Math.round((100 * found.differ) / found.read_twice)} %): {(found.differ - found.open).toLocaleString("en")} are decided,{" "}
        <b>{found.open.toLocaleString("en")}</b> wait for a third expert or a consensus.
      </p>
      {pair && (
        <>
          <h2 class="apart">Two experts, cell by cell</h2>
          <label class="field experts">
            <span>Experts</span>
            <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
              {found.pairs.map((one, at) => (
                <option key={`${one.one} ${one.other}`} value={at}>
                  {one.one_name} and {one.other_name}: {one.cells} cells
                </option>
              ))}
            </select>
          </label>
          <Confusion key={`${pair.one} ${pair.other}`} pair={pair} />
        </>
      )}
    </>
  );
}

interface Square {
  readonly row: number;
  readonly column: number;
}

function Confusion({ pair }: { pair: RaterPair }) {
  const [square, setSquare] = useState<Square | null>(null);
  return (
    <>
      <p class="soft">
        {pair.agreed} of {pair.cells} cells alike{pair.kappa === null ? "" : `, Cohen’s kappa ${pair.kappa.toFixed(2)}`}. Choose a square to see its cells.
      </p>
      <Broad label="Confusion matrix">
        <table class="confusion">
          <thead>
            <tr>
              <th scope="col">
                <bdi>{pair.one_name}</bdi> ↓ <bdi>{pair.other_name}</bdi> →
              </th>
              {pair.labels.map((label) => (
                <th key={label} scope="col">
                  <bdi>{labelName(label)}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {pair.labels.map((label, row) => (
              <tr key={label}>
                <th scope="row">
                  <bdi>{labelName(label)}</bdi>
                </th>
                {pair.labels.map((other, column) => {
                  const count = pair.counts[row]?.[column] ?? 0;
                  const isChosen = square?.row === row && square.column === column;
                  return (
                    <td key={other} class={row === column ? "same" : count > 0 ? "differ" : ""}>
                      <button
                        type="button"
                        disabled={count === 0}
                        aria-pressed={isChosen}
                        aria-label={`${labelName(label)}, ${labelName(other)}: ${count} cells`}
                        onClick={() => setSquare(isChosen ? null : { row, column })}
                      >
                        {count.toLocaleString("en")}
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </Broad>
      {square && <Cells key={`${square.row} ${square.column}`} pair={pair} square={square} />}
    </>
  );
}

function Cells({ pair, square }: { pair: RaterPair; square: Square }) {
  const [cells, setCells] = useState<readonly ComparedCell[]>([]);
  const [hasMore, setHasMore] = useState(false);
  const load = (before: readonly ComparedCell[]) => {
    const where = `one=${pair.one}&other=${pair.other}&first=${pair.labels[square.row]}&second=${pair.labels[square.column]}`;
    get<ComparedCells>(`/api/comparison/cells?${where}&skip=${before.length}`).then((found) => {
      setCells([...before, ...found.cells]);
      setHasMore(found.has_more);
    }, sayError);
  };
  useEffect(() => load([]), []);
  return (
    <>
      <ul class="compared" aria-label="Cells of the square">
        {cells.map((one) => (
          <li key={one.cell}>
            <a href={`#/regions/${one.slide}/at/${Math.round(one.x)},${Math.round(one.y)}`} title={slideOf(one.slide)?.name}>
              <img
                src={cropUrl(one.slide, one.x, one.y, CROP_PX0)}
                width={CROP_PX0}
                height={CROP_PX0}
                alt={`Cell on ${slideOf(one.slide)?.name ?? "a slide"}`}
                loading="lazy"
              />
            </a>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" onClick={() => load(cells)}>
          More
        </button>
      )}
    </>
  );
}
