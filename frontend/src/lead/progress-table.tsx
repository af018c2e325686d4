import { useEffect, useState } from "preact/hooks";
import type { Refusal } from "../api/errors";
import { get } from "../api/request";
import type { RaterWork, RoundWork, WorkProgress } from "../api/types";
import { roundOf, sayError, slideOf } from "../state/session";
import { Dialog } from "../ui/dialog";
import { duration } from "../ui/duration";
import { Gauge } from "../ui/gauge";
import { Empty } from "../ui/panel";
import { blindedBy, NotWhileBlinded } from "./blinded";
import { summed, type Sum } from "./works";

const AGAIN_MS = 15_000;

/** How far and how fast each rater is in each round, as it is now. */
export function ProgressTable() {
  const [rows, setRows] = useState<readonly RaterWork[] | null>(null);
  const [open, setOpen] = useState<Line | null>(null);
  const [blinded, setBlinded] = useState<Refusal | null>(null);
  useEffect(() => {
    const load = async () => {
      try {
        setRows((await get<WorkProgress>("/api/progress")).rows);
        setBlinded(null);
      } catch (error) {
        const refusal = blindedBy(error);
        if (refusal) setBlinded(refusal);
        else sayError(error);
      }
    };
    void load();
    const timer = window.setInterval(() => void load(), AGAIN_MS);
    return () => window.clearInterval(timer);
  }, []);
  if (blinded) return <NotWhileBlinded what="Progress tells how much others found" refusal={blinded} />;
  if (rows === null) return null;
  if (rows.length === 0) return <Empty title="Nobody works in a round yet." />;
  return (
    <>
      <div class="broad">
        <table class="stacked">
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
            {linesOf(rows).map((row) => (
              <tr key={`${row.title} ${row.rater}`}>
                <th scope="row">
                  <bdi class="two-lines">{row.title}</bdi>
                </th>
                <td data-label="Rater">
                  <bdi>{row.rater_name}</bdi>
                </td>
                <td>
                  <Gauge done={row.done} of={row.of} unit={row.unit} isEstimate={row.is_estimate} left={null} />
                </td>
                <td data-label="Slides complete">
                  {row.slides_of > 0 && (
                    <button type="button" class="plain" title="Slide by slide" onClick={() => setOpen(row)}>
                      {row.rounds.length > 1 || (row.of === null && row.unit === "cells") ? "by slide" : `${row.slides_done} of ${row.slides_of}`}
                    </button>
                  )}
                </td>
                <td class="number" data-label="Seconds each">
                  {row.seconds?.toFixed(1) ?? "–"}
                </td>
                <td class="number steady" data-label="Time left">
                  {isDone(row) ? "done" : row.left_s === null ? "–" : duration(row.left_s)}
                </td>
                <td class="soft steady" data-label="Last work">
                  {row.last_s === null ? "–" : when(row.last_s)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {open && <BySlide row={open} onClose={() => setOpen(null)} />}
    </>
  );
}

/** A rater's work in a round, or in all groups of a review. */
interface Line extends Sum {
  readonly title: string;
  readonly rounds: readonly number[];
}

function linesOf(rows: readonly RaterWork[]): Line[] {
  const groups = new Map<string, number[]>();
  for (const id of new Set(rows.map((row) => row.round))) {
    const round = roundOf(id);
    const title = round?.review ?? round?.name ?? `round ${id}`;
    groups.set(title, [...(groups.get(title) ?? []), id]);
  }
  return [...groups].flatMap(([title, rounds]) => summed(rows, rounds).map((sum) => ({ ...sum, title, rounds })));
}

function isDone(row: Sum): boolean {
  return row.of !== null && !row.is_estimate && row.done >= row.of && row.of > 0;
}

interface SlideSum {
  readonly slide: number;
  done: number;
  of: number | null;
}

function BySlide({ row, onClose }: { row: Line; onClose(): void }) {
  const [slides, setSlides] = useState<readonly SlideSum[]>([]);
  useEffect(() => {
    const load = async () => {
      const found = new Map<number, SlideSum>();
      for (const round of row.rounds) {
        for (const one of (await get<RoundWork>(`/api/rounds/${round}/progress`)).rows) {
          if (one.rater !== row.rater) continue;
          const sum = found.get(one.slide) ?? { slide: one.slide, done: 0, of: 0 };
          sum.done += one.done;
          sum.of = sum.of === null || one.of === null ? null : sum.of + one.of;
          found.set(one.slide, sum);
        }
      }
      setSlides([...found.values()]);
    };
    load().catch(sayError);
  }, []);
  return (
    <Dialog title={`${row.rater_name} in ${row.title}`} onClose={onClose}>
      <table>
        <tbody>
          {slides.map((one) => (
            <tr key={one.slide}>
              <th scope="row">
                <bdi>{slideOf(one.slide)?.name ?? one.slide}</bdi>
              </th>
              <td>
                {one.of === null && row.unit === "fields" ? (
                  <span class="soft">not begun</span>
                ) : (
                  <Gauge done={one.done} of={one.of} unit={row.unit} left={null} />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

function when(time_s: number): string {
  return new Date(time_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
