import type { RaterWork, ReviewRounds, StaffedRound, StaffedRounds } from "../api/types";

/** One reading of the same cells, by however many rounds. */
export interface Pass {
  readonly title: string;
  readonly rounds: readonly StaffedRound[];
}

/** What a lead thinks of as one piece of work: a round, or a review with all of its rounds. */
export interface Work {
  readonly key: string;
  readonly title: string;
  readonly kind: StaffedRound["kind"];
  readonly passes: readonly Pass[];
  readonly review: ReviewRounds | null;
}

export function worksOf({ rounds, reviews }: StaffedRounds): Work[] {
  const byId = new Map(rounds.map((round) => [round.id, round]));
  const taken = new Set<number>();
  const found = reviews.map((review) => {
    const ids = [...review.first, review.second, review.third, review.outcome, review.proposals];
    for (const id of ids) if (id !== null) taken.add(id);
    const pass = (title: string, some: readonly (number | null)[]): Pass => ({
      title,
      rounds: some.flatMap((id) => (id === null ? [] : (byId.get(id) ?? []))),
    });
    const passes = [pass("First reading", review.first), pass("Second read", [review.second]), pass("Third expert", [review.third])];
    return { key: `review ${review.name}`, title: review.name, kind: review.kind, passes: passes.filter((one) => one.rounds.length > 0), review };
  });
  const alone = rounds.filter((round) => !taken.has(round.id));
  const single = alone.map((round) => ({
    key: `round ${round.id}`,
    title: round.name,
    kind: round.kind,
    passes: [{ title: "", rounds: [round] }],
    review: null,
  }));
  return [...found, ...single].sort((one, other) => newest(other) - newest(one));
}

export function roundsOf(work: Work): readonly StaffedRound[] {
  return work.passes.flatMap((pass) => pass.rounds);
}

export function isOpen(work: Work): boolean {
  return roundsOf(work).some((round) => round.is_open);
}

function newest(work: Work): number {
  return Math.max(0, ...roundsOf(work).map((round) => round.id));
}

/** A rater's work over the rounds of a pass, as one. */
export type Sum = Pick<
  RaterWork,
  "rater" | "rater_name" | "unit" | "done" | "of" | "is_estimate" | "slides_done" | "slides_of" | "seconds" | "left_s" | "last_s"
>;

export function summed(rows: readonly RaterWork[], rounds: readonly number[]): Sum[] {
  const byRater = new Map<number, Sum>();
  for (const row of rows) {
    if (!rounds.includes(row.round)) continue;
    const before = byRater.get(row.rater);
    byRater.set(row.rater, before === undefined ? row : added(before, row));
  }
  return [...byRater.values()];
}

function added(one: Sum, other: Sum): Sum {
  const of = one.of === null || other.of === null ? null : one.of + other.of;
  const done = one.done + other.done;
  const seconds = mean([one, other]);
  return {
    ...one,
    done,
    of,
    is_estimate: one.is_estimate || other.is_estimate,
    seconds,
    left_s: of === null || seconds === null ? null : Math.max(of - done, 0) * seconds,
    last_s: Math.max(one.last_s ?? 0, other.last_s ?? 0) || null,
  };
}

/** Mean time a unit, by how many were done at each pace. */
function mean(parts: readonly Sum[]): number | null {
  let [time, units] = [0, 0];
  for (const { seconds, done } of parts) {
    if (seconds === null) continue;
    time += seconds * done;
    units += done;
  }
  return units > 0 ? time / units : null;
}
