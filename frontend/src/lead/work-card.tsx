import { useId } from "preact/hooks";
import type { Person, RaterWork, StaffedRound } from "../api/types";
import { me } from "../state/session";
import { Gauge } from "../ui/gauge";
import { KIND_WORDS } from "../ui/kinds";
import { ReviewSteps } from "./review-steps";
import { isOpen, roundsOf, summed, type Pass, type Work } from "./works";

interface Properties {
  work: Work;
  progress: readonly RaterWork[];
  people: readonly Person[];
  onRaters(): void;
  onTiles(round: StaffedRound): void;
  onChange(rounds: readonly StaffedRound[], what: object): void;
  onDone(): void;
}

/** A round, or a review with its passes: who works there, how far everybody is, and what can be done. */
export function WorkCard({ work, progress, people, onRaters, onTiles, onChange, onDone }: Properties) {
  const heading = useId();
  const rounds = roundsOf(work);
  const goesOn = isOpen(work);
  const first = rounds[0];
  if (first === undefined) return null;
  return (
    <section class="work-card" aria-labelledby={heading}>
      <header>
        <div class="grow">
          <span class="kind">
            {KIND_WORDS[work.kind]}
            {first.is_blinded && ", blinded"}
            {!goesOn && ", closed"}
          </span>
          <h2 id={heading}>
            <bdi class="two-lines" title={work.title}>
              {work.title}
            </bdi>
          </h2>
          <small>
            {first.slides.length.toLocaleString("en")} of {(me.value?.slides.length ?? 0).toLocaleString("en")} slides
            {work.review?.note && ` · ${work.review.note}`}
          </small>
        </div>
        <div class="row tight wrap">
          {work.review && <ReviewSteps name={work.review.name} people={people} onDone={onDone} />}
          {work.kind.startsWith("crowd") && (
            <button type="button" onClick={() => onTiles(first)}>
              Tiles
            </button>
          )}
          <button type="button" onClick={onRaters}>
            Raters
          </button>
          <button
            type="button"
            onClick={() =>
              onChange(
                rounds.filter((round) => round.is_open === goesOn),
                { is_open: !goesOn },
              )
            }
          >
            {goesOn ? "Close" : "Reopen"}
          </button>
        </div>
      </header>
      {work.passes.map((pass) => (
        <PassRows key={pass.title} pass={pass} progress={progress} onChange={onChange} />
      ))}
    </section>
  );
}

function PassRows({ pass, progress, onChange }: { pass: Pass; progress: readonly RaterWork[]; onChange: Properties["onChange"] }) {
  const rows = summed(
    progress,
    pass.rounds.map((round) => round.id),
  );
  return (
    <div class="pass">
      {pass.title && <h3>{pass.title}</h3>}
      {rows.length === 0 && <p class="soft">Nobody works here yet.</p>}
      <ul>
        {rows.map((row) => (
          <li key={row.rater}>
            <bdi class="clip" title={row.rater_name}>
              {row.rater_name}
            </bdi>
            <Gauge done={row.done} of={row.of} unit={row.unit} isEstimate={row.is_estimate} left={row.left_s} />
          </li>
        ))}
      </ul>
      {pass.rounds.length > 1 && (
        <details>
          <summary>{pass.rounds.length} groups by score</summary>
          <ul>
            {pass.rounds.map((round) => (
              <li key={round.id}>
                <span>
                  {round.bin === null ? round.name : `Group ${round.bin} of ${round.bins}`}
                  {!round.is_open && <small> closed</small>}
                </span>
                <span class="soft">
                  {summed(progress, [round.id])
                    .map((row) => `${row.rater_name} ${row.done} of ${row.of ?? "–"}`)
                    .join(", ")}
                </span>
                <button type="button" class="plain" onClick={() => onChange([round], { is_open: !round.is_open })}>
                  {round.is_open ? "Close" : "Reopen"}
                </button>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}
