import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { RaterWork, RoundWork, WorkProgress } from "../api/types";
import { me, sayError, slideOf } from "../state/session";
import { Dialog } from "../ui/dialog";
import { duration } from "../ui/duration";
import { Gauge } from "../ui/gauge";
import { Empty } from "../ui/panel";

const AGAIN_MS = 15_000;

/** How far and how fast each rater is in each round, as it is now. */
export function ProgressTable() {
  const [rows, setRows] = useState<readonly RaterWork[] | null>(null);
  const [open, setOpen] = useState<RaterWork | null>(null);
  useEffect(() => {
    const load = () => get<WorkProgress>("/api/progress").then((answer) => setRows(answer.rows), sayError);
    void load();
    const timer = window.setInterval(() => void load(), AGAIN_MS);
    return () => window.clearInterval(timer);
  }, []);
  if (rows === null) return null;
  if (rows.length === 0) return <Empty title="Nobody works in a round yet." />;
  return (
    <>
      <div class="broad">
        <table>
          <thead>
            <tr>
              <th scope="col">Round</th>
              <th scope="col">Rater</th>
              <th scope="col">Done</th>
              <th scope="col">Slides complete</th>
              <th scope="col" class="number">
                Seconds each
              </th>
              <th scope="col" class="number">
                Time left
              </th>
              <th scope="col">Last work</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={`${row.round} ${row.rater}`}>
                <th scope="row">
                  <bdi class="two-lines">{nameOf(row.round)}</bdi>
                </th>
                <td>
                  <bdi>{row.rater_name}</bdi>
                </td>
                <td>
                  <Gauge done={row.done} of={row.of} unit={row.unit} isEstimate={row.is_estimate} left={null} />
                </td>
                <td>
                  {row.slides_of > 0 && (
                    <button type="button" class="plain" title="Slide by slide" onClick={() => setOpen(row)}>
                      {row.of === null && row.unit === "cells" ? "by slide" : `${row.slides_done} of ${row.slides_of}`}
                    </button>
                  )}
                </td>
                <td class="number">{row.seconds?.toFixed(1) ?? "–"}</td>
                <td class="number steady">{row.is_complete ? "done" : row.left_s === null ? "–" : duration(row.left_s)}</td>
                <td class="soft steady">{row.last_s === null ? "–" : when(row.last_s)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {open && <BySlide row={open} onClose={() => setOpen(null)} />}
    </>
  );
}

function BySlide({ row, onClose }: { row: RaterWork; onClose(): void }) {
  const [found, setFound] = useState<RoundWork | null>(null);
  useEffect(() => {
    get<RoundWork>(`/api/rounds/${row.round}/progress`).then(setFound, sayError);
  }, [row.round]);
  const mine = found?.rows.filter((one) => one.rater === row.rater) ?? [];
  return (
    <Dialog title={`${row.rater_name} in ${nameOf(row.round)}`} onClose={onClose}>
      <table>
        <tbody>
          {mine.map((one) => (
            <tr key={one.slide}>
              <th scope="row">
                <bdi>{slideOf(one.slide)?.name ?? one.slide}</bdi>
              </th>
              <td>{one.of === null && row.unit === "fields" ? <span class="soft">not begun</span> : <Gauge done={one.done} of={one.of} unit={row.unit} left={null} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

function nameOf(round: number): string {
  return me.value?.rounds.find((one) => one.id === round)?.name ?? `round ${round}`;
}

function when(time_s: number): string {
  return new Date(time_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
