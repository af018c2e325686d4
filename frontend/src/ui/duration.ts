const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** A time as one plans by it: minutes below two hours, then hours. */
export function duration(seconds: number): string {
  if (seconds < MINUTE) return "less than a minute";
  if (seconds < 2 * HOUR) return `${Math.round(seconds / MINUTE)} min`;
  return `${Math.round(seconds / HOUR)} h`;
}
