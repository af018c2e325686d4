import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { Progress, SlideProgress } from "../api/types";
import { sayError, slideOf } from "../state/session";
import { Empty } from "../ui/panel";

/** How far and how fast each rater is. */
export function ProgressTable() {
  const [rows, setRows] = useState<readonly SlideProgress[] | null>(null);
  useEffect(() => {
    get<Progress>("/api/progress").then((answer) => setRows(answer.rows), sayError);
  }, []);
  if (rows === null) return null;
  if (rows.length === 0) return <Empty title="Nobody has labelled anything yet." />;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Round</th>
          <th scope="col">Rater</th>
          <th scope="col">Slide</th>
          <th scope="col">Labelled</th>
          <th scope="col" class="number">
            Seconds per label
          </th>
          <th scope="col" class="number">
            Per minute
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={`${row.round} ${row.rater} ${row.slide}`}>
            <th scope="row">
              <bdi>{row.round_name}</bdi>
            </th>
            <td>
              <bdi>{row.rater_name}</bdi>
            </td>
            <td>
              <bdi>{slideOf(row.slide)?.name ?? row.slide}</bdi>
            </td>
            <td>
              <span class="gauge">
                <progress max={Math.max(row.cells, 1)} value={row.labelled} aria-label="Labelled" />
                {row.labelled.toLocaleString("en")} of {row.cells.toLocaleString("en")}
              </span>
            </td>
            <td class="number">{row.seconds_median?.toFixed(1) ?? "–"}</td>
            <td class="number">{row.per_minute?.toFixed(0) ?? "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
