import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "../api/request";
import type { Event, News as Found } from "../api/types";
import { enter, me, write } from "../state/session";
import { Dialog } from "./dialog";

const AGAIN_MS = 30_000;

/** What is news to me, told in the bar at the top until it is put away: rounds opened and closed for me, work that is read. */
export function News() {
  const events = useSignal<readonly Event[]>([]);
  const isOpen = useSignal(false);
  const who = me.value?.rater.id;
  useEffect(() => {
    if (who === undefined) return;
    // A server that is away is told of by what cannot be sent; asking goes on.
    const load = async () => {
      const found = (await get<Found>("/api/news")).events;
      const newest = found[0]?.id ?? 0;
      if (newest > (events.value[0]?.id ?? 0)) void enter(); // my rounds are others now
      events.value = found;
    };
    const ask = () => void load().catch(() => undefined);
    ask();
    const timer = window.setInterval(ask, AGAIN_MS);
    return () => window.clearInterval(timer);
  }, [who]);
  const close = () => {
    const newest = events.value[0];
    isOpen.value = false;
    events.value = [];
    if (newest) void write("PUT", "/api/news", { upto: newest.id });
  };
  const count = events.value.length;
  return (
    <>
      {count > 0 && (
        <button type="button" class="plain news" aria-label={`News: ${count}`} onClick={() => (isOpen.value = true)}>
          News <b>{count}</b>
        </button>
      )}
      {isOpen.value && (
        <Dialog title="News" onClose={close}>
          <ul class="news-list">
            {events.value.map((one) => (
              <li key={one.id}>
                <p onClick={(event) => event.target instanceof HTMLAnchorElement && close()}>
                  <Sentence event={one} />
                </p>
                <small>{new Date(one.time_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}</small>
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </>
  );
}

const ASSIGNING = ["opened the round", "opened the review", "assigned", "asked a third expert"];

function Sentence({ event }: { event: Event }) {
  const name = <bdi>{event.subject}</bdi>;
  const round = event.round === null ? name : <a href={`#/round/${event.round}`}>{name}</a>;
  if (ASSIGNING.includes(event.kind)) return <>There is work for you: {round}</>;
  if (event.kind === "closed the round") return <>Your round {name} was closed.</>;
  if (event.kind === "reopened the round") return <>Your round {round} is open again.</>;
  if (event.kind === "took out of the round") return <>You no longer work in {name}.</>;
  if (event.kind === "was read by all") return <>Everybody has finished {name}.</>;
  return (
    <>
      {event.by} {event.kind} {name}
    </>
  );
}
