import type { Round, Slide } from "./api/types";
import { isLead, me } from "./state/session";
import { Empty } from "./ui/panel";

const WORDS: Record<Round["kind"], string> = {
  screening: "Screening",
  "second read": "Second read",
  consensus: "Consensus",
  "third expert": "Third expert",
  "candidate review": "Candidate review",
  "board review": "Board",
  "crowd boxes": "Boxes on tiles",
  "crowd tiles": "Yes or no for tiles",
  "case review": "Case",
  unstated: "Free labelling",
};

/** My work and the slides of the study. */
export function Home() {
  const now = me.value;
  if (!now) return null;
  const open = now.rounds.filter((round) => round.is_open);
  return (
    <main class="page">
      <h1>My work</h1>
      {open.length === 0 ? <Nothing /> : <Rounds rounds={open} />}
      <h2 class="apart">Slides</h2>
      {now.slides.length === 0 ? <p class="soft">The study has no slides.</p> : <Slides slides={now.slides} />}
    </main>
  );
}

function Nothing() {
  return (
    <Empty title="There is no work for you at the moment.">
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

function Rounds({ rounds }: { rounds: readonly Round[] }) {
  return (
    <ul class="cards">
      {rounds.map((round) => (
        <li key={round.id}>
          <a class="card" href={address(round)}>
            <span class="kind">{WORDS[round.kind]}</span>
            <b class="title">
              <bdi class="three-lines" title={round.name}>
                {round.name}
              </bdi>
            </b>
            {hasQueue(round) ? (
              <span class="gauge">
                <progress max={Math.max(round.cells, 1)} value={round.labelled} aria-label="Labelled" />
                {round.labelled.toLocaleString("en")} of {round.cells.toLocaleString("en")}
              </span>
            ) : (
              <span class="soft">{round.slides.length === 1 ? "1 slide" : `${round.slides.length} slides`}</span>
            )}
          </a>
        </li>
      ))}
    </ul>
  );
}

function hasQueue(round: Round): boolean {
  return ["second read", "consensus", "third expert", "candidate review"].includes(round.kind);
}

function address(round: Round): string {
  const needsSlide = ["screening", "case review", "unstated"].includes(round.kind);
  return needsSlide && round.slides.length === 1 ? `#/round/${round.id}/slide/${round.slides[0]}` : `#/round/${round.id}`;
}

export function Slides({ slides, round }: { slides: readonly Slide[]; round?: Round }) {
  return (
    <ul class="slides">
      {slides.map((slide) => (
        <li key={slide.id}>
          {slide.state === "ok" ? <Shown slide={slide} {...(round ? { round } : {})} /> : <Absent slide={slide} />}
        </li>
      ))}
    </ul>
  );
}

function Shown({ slide, round }: { slide: Slide; round?: Round }) {
  return (
    <a class="card slide-card" href={round ? `#/round/${round.id}/slide/${slide.id}` : `#/regions/${slide.id}`}>
      <span class="thumb">
        <img src={`/api/slides/${slide.id}/thumbnail.jpg?size=384`} alt="" loading="lazy" />
      </span>
      <b class="title clip">
        <bdi>{slide.name}</bdi>
      </b>
      <span class="soft">
        {slide.width} × {slide.height} px{slide.mpp === null ? "" : `, ${slide.mpp.toFixed(3)} µm/px`}
      </span>
    </a>
  );
}

function Absent({ slide }: { slide: Slide }) {
  return (
    <div class="card slide-card absent">
      <span class="thumb">{slide.state === "missing" ? "missing" : "cannot be read"}</span>
      <b class="title clip">
        <bdi>{slide.name}</bdi>
      </b>
      <span class="warn">
        {slide.reason}
        {slide.mend ? `; ${slide.mend}` : ""}
      </span>
    </div>
  );
}
