import type { SlideSearch } from "../api/types";

/** Seconds as a person says them: under a minute by tens, then minutes, then hours and minutes. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.max(10, Math.ceil(seconds / 10) * 10)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Where a search stands, in one line. */
export function describeSearch(search: SlideSearch): string {
  const { state, done_mm2, of_mm2, eta_s } = search;
  if (state === "failed") return search.reason;
  if (state === "done") {
    const figures = search.figures ?? 0;
    return `${figures.toLocaleString("en")} mitotic ${figures === 1 ? "figure" : "figures"}, ${(search.candidates ?? 0).toLocaleString("en")} candidates on ${of_mm2.toFixed(1)} mm²`;
  }
  const area = of_mm2 > 0 ? `${done_mm2.toFixed(1)} of ${of_mm2.toFixed(1)} mm²` : "";
  if (state === "waiting") return area ? `waits at ${area}` : "waits for its turn";
  if (state === "paused") return area ? `paused at ${area}` : "paused";
  if (!area) return "opening the slide …";
  if (done_mm2 >= of_mm2) return `${area}; the second network looks at the candidates …`;
  return eta_s === null ? area : `${area}, ${formatSeconds(eta_s)} left`;
}
