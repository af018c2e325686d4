import type { Round } from "./api/types";
import { Slides } from "./slides/slide-list";
import { BoardReview } from "./modes/board-review";
import { CaseReview } from "./modes/case-review";
import { Crowd } from "./modes/crowd";
import { Review } from "./modes/review";
import { Screening } from "./modes/screening";
import { SlideWork } from "./modes/slide-work";
import { me, slideOf } from "./state/session";
import { Empty } from "./ui/panel";
import { isOpenSlide, type OpenSlide } from "./viewer/picture";

/** A round, in the way of working of its kind. */
export function RoundPage({ round, slideId }: { round: Round; slideId: number | null }) {
  if (!round.is_open)
    return (
      <Empty title="This round is closed.">
        <p>The lead of the study can open it again.</p>
      </Empty>
    );
  if (round.kind === "board review" && round.board !== null) return <BoardReview key={round.id} round={round} />;
  if (round.kind === "crowd boxes" || round.kind === "crowd tiles") return <Crowd key={round.id} round={round} />;
  if (!["screening", "case review", "unstated"].includes(round.kind)) return <Review key={round.id} round={round} />;
  if (slideId === null) return <ChooseSlide round={round} />;
  const slide = slideOf(slideId);
  if (!isOpenSlide(slide)) return <NoSlide name={slide?.name ?? ""} reason={slide?.reason} mend={slide?.mend} />;
  return <OnSlide key={`${round.id} ${slide.id}`} round={round} slide={slide} />;
}

function OnSlide({ round, slide }: { round: Round; slide: OpenSlide }) {
  if (round.kind === "screening") return <Screening round={round} slide={slide} />;
  if (round.kind === "case review") return <CaseReview round={round} slide={slide} />;
  return <SlideWork round={round} slide={slide} />;
}

function ChooseSlide({ round }: { round: Round }) {
  const slides = me.value?.slides.filter((slide) => round.slides.includes(slide.id)) ?? [];
  return (
    <main class="page">
      <h1>
        <bdi>{round.name}</bdi>
      </h1>
      <Slides slides={slides} round={round} />
    </main>
  );
}

export function NoSlide({ name, reason, mend }: { name: string; reason?: string | null | undefined; mend?: string | null | undefined }) {
  return (
    <Empty title="This slide cannot be shown.">
      <p>
        <bdi>{name}</bdi>
      </p>
      {reason && <p class="warn">{reason}</p>}
      {mend && <p>{mend}</p>}
    </Empty>
  );
}
