import { after } from "./counted";
import { duration } from "./duration";

interface Properties {
  done: number;
  of: number | null;
  unit: string;
  isEstimate?: boolean;
  left: number | null;
}

/** How far a work is and how long the rest takes; without an end, what was done. */
export function Gauge({ done, of, unit, isEstimate = false, left }: Properties) {
  const count = done.toLocaleString("en");
  if (of === null) {
    return (
      <span class="gauge">
        {count} {after(done, unit)}
      </span>
    );
  }
  return (
    <span class="gauge">
      <progress max={Math.max(of, 1)} value={done} aria-label={`Done: ${unit}`} />
      <span>
        {count} of {isEstimate && "about "}
        {of.toLocaleString("en")} {after(of, unit)}
        {left !== null && left > 0 && `, ${duration(left)} left`}
      </span>
    </span>
  );
}
