import { Inbox } from "lucide";
import { useEffect, useState } from "preact/hooks";
import { get } from "./api/request";
import type { RaterWork, Result, Results, Round, WorkProgress } from "./api/types";
import { AddSlides } from "./files/add-slides";
import { summed, type Sum } from "./lead/works";
import { Slides } from "./slides/slide-list";
import { isLead, me, sayError, slideOf } from "./state/session";
import { Gauge } from "./ui/gauge";
import { Icon } from "./ui/icon";
import { KIND_ICONS, KIND_WORDS } from "./ui/kinds";
import { Empty } from "./ui/panel";

/** My work and the slides of the study. */
export function Home() {
  const now = me.value;
  if (!now) return null;
  const open = now.rounds.filter((round) => round.is_open);
  return (
    <main class="page">
      {isLead() && now.slides.length === 0 ? (
        <h1>Begin with a slide</h1>
      ) : (
        <>
          <h1>My work</h1>
          {open.length === 0 ? <Nothing /> : <Rounds rounds={open} />}
          <h2 class="apart">Slides</h2>
        </>
      )}
      {isLead() && <AddSlides key="add" />}
      {now.slides.length > 0 ? <Slides slides={now.slides} /> : !isLead() && <p class="soft">The study has no slides.</p>}
    </main>
  );
}

function Nothing() {
  return (
    <Empty title="There is no work for you at the moment." icon={Inbox}>
      {isLead() ? (
        <p>
          Add raters and rounds under <a href="#/study/rounds">Study</a>.
        </p>
      ) : (
        <p>The lead of the study assigns it.</p>
      )}
    </Empty>
  );
}

/** One card a review, whose groups come one after the other, and one for every other round. */
function Rounds({ rounds }: { rounds: readonly Round[] }) {
  const [rows, setRows] = useState<readonly RaterWork[]>([]);
  const [results, setResults] = useState<readonly Result[]>([]);
  useEffect(() => {
    get<WorkProgress>("/api/my-progress").then((found) => setRows(found.rows), sayError);
    if (rounds.some((round) => round.kind === "case review")) get<Results>("/api/results").then((found) => setResults(found.results), sayError);
  }, [rounds]);
  return (
    <ul class="cards">
      {together(rounds).map((group) => (
        <RoundCard key={group[0]?.id} group={group} rows={rows} last={results.find((one) => group.some((round) => round.id === one.round))} />
      ))}
    </ul>
  );
}

function RoundCard({ group, rows, last }: { group: readonly Round[]; rows: readonly RaterWork[]; last: Result | undefined }) {
  const isOver = (round: Round) => rows.some((row) => row.round === round.id && row.is_complete);
  const next = group.find((round) => !isOver(round)) ?? group[0];
  if (next === undefined) return null;
  const title = next.review ?? next.name;
  const [sum] = summed(
    rows,
    group.map((round) => round.id),
  );
  return (
    <li>
      <a class="card" href={`#${addressOfRound(next)}`}>
        <span class="kind">
          <Icon of={KIND_ICONS[next.kind]} size={16} /> {KIND_WORDS[next.kind]}
          {stateOf(sum) && <span class={`state ${stateOf(sum)}`}>{stateOf(sum)}</span>}
        </span>
        <b class="title">
          <bdi class="three-lines" title={title}>
            {title}
          </bdi>
        </b>
        {sum && sum.of !== null ? (
          <Gauge done={sum.done} of={sum.of} unit={sum.unit} isEstimate={sum.is_estimate} left={sum.left_s} />
        ) : (
          <span class="soft">{next.slides.length === 1 ? "1 slide" : `${next.slides.length} slides`}</span>
        )}
        {last && (
          <span class="soft three-lines">
            Last signed: <b>{last.count.toLocaleString("en")}</b> in {last.area_mm2.toFixed(2)} mm² on <bdi>{slideOf(last.slide)?.name}</bdi>
          </span>
        )}
        {group.length > 1 && (
          <span class="soft">
            Group {next.bin} of {next.bins} by score is next
          </span>
        )}
      </a>
    </li>
  );
}

/** How a work stands, where it has an end. */
function stateOf(sum: Sum | undefined): "new" | "begun" | "done" | null {
  if (!sum || sum.of === null || sum.is_estimate) return null;
  return sum.done === 0 ? "new" : sum.done >= sum.of && sum.of > 0 ? "done" : "begun";
}

/** Rounds as pieces of work: the groups of a review are one. */
function together(rounds: readonly Round[]): Round[][] {
  const found = new Map<string, Round[]>();
  for (const round of rounds) {
    const key = round.review === null ? `round ${round.id}` : `review ${round.review}`;
    found.set(key, [...(found.get(key) ?? []), round]);
  }
  return [...found.values()];
}

/** Where a round is worked on: on its slide, where it has only one. */
export function addressOfRound(round: Round): string {
  const needsSlide = ["screening", "case review", "unstated"].includes(round.kind);
  return needsSlide && round.slides.length === 1 ? `/round/${round.id}/slide/${round.slides[0]}` : `/round/${round.id}`;
}
