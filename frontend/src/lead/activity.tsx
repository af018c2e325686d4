import { useEffect, useState } from "preact/hooks";
import type { Refusal } from "../api/errors";
import { get } from "../api/request";
import type { Event, Trail } from "../api/types";
import { sayError } from "../state/session";
import { Empty } from "../ui/panel";
import { blindedBy, NotWhileBlinded } from "./blinded";

/** The audit trail: who did what when, beside the labels themselves. */
export function Activity() {
  const [events, setEvents] = useState<readonly Event[] | null>(null);
  const [hasMore, setHasMore] = useState(false);
  const [blinded, setBlinded] = useState<Refusal | null>(null);
  const load = async (before: readonly Event[]) => {
    try {
      const found = await get<Trail>(`/api/activity?skip=${before.length}`);
      setEvents([...before, ...found.events]);
      setHasMore(found.has_more);
    } catch (error) {
      const refusal = blindedBy(error);
      if (refusal) setBlinded(refusal);
      else sayError(error);
    }
  };
  useEffect(() => void load([]), []);
  if (blinded) return <NotWhileBlinded what="The trail tells what others did" refusal={blinded} />;
  if (events === null) return null;
  if (events.length === 0) return <Empty title="Nothing was done in this study yet." />;
  return (
    <>
      <div class="bar">
        <p class="grow soft">Rounds, people, rules, regions, signatures and exports; labels are in the exports of the study.</p>
        <a class="button" href="/api/activity.csv" download="">
          Export as CSV
        </a>
      </div>
      <div class="broad">
        <table class="stacked">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Who</th>
              <th scope="col">What</th>
              <th scope="col">Further</th>
            </tr>
          </thead>
          <tbody>
            {events.map((one) => (
              <tr key={`${one.kind} ${one.id}`}>
                <td class="soft steady">{new Date(one.time_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" })}</td>
                <td class="who-cell">
                  <bdi>{one.by ?? "–"}</bdi>
                </td>
                <td class="what-cell">
                  {one.kind} <bdi>{one.subject}</bdi>
                </td>
                <td class="soft">
                  <bdi>{one.detail}</bdi>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {hasMore && (
        <button type="button" onClick={() => void load(events)}>
          Earlier
        </button>
      )}
    </>
  );
}
