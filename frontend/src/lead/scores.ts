/** The scores in a table of detections, as text; null where it has no column of that name. */
export function scoresOf(csv: string): number[] | null {
  const [header = "", ...lines] = csv.replace(/^\uFEFF/, "").split(/\r?\n/);
  const separator = header.includes(";") ? ";" : header.includes("\t") ? "\t" : ",";
  const column = header.split(separator).findIndex((name) => name.trim().replaceAll('"', "").toLowerCase() === "score");
  if (column < 0) return null;
  const scores = lines.map((line) => Number.parseFloat((line.split(separator)[column] ?? "").replaceAll('"', "").replace(",", ".")));
  return scores.filter((score) => Number.isFinite(score));
}

/** The highest score that the table calls a candidate below the threshold of its search; null where it calls none so. */
function candidateScore(csv: string): number | null {
  const rows = csv.split(/\r?\n/).filter((line) => line.includes("mitotic figure candidate"));
  const [header = ""] = csv.split(/\r?\n/, 1);
  const scores = rows.length > 0 ? scoresOf([header, ...rows].join("\n")) : null;
  return scores === null || scores.length === 0 ? null : Math.max(...scores);
}

/** The threshold that a search states: in its manifest, else by what its table calls candidates. */
export function thresholdOf(csv: string, manifest: string | null): number | null {
  if (manifest !== null) {
    try {
      const { threshold } = JSON.parse(manifest) as { threshold?: { value?: unknown } | number };
      const value = typeof threshold === "object" ? threshold.value : threshold;
      if (typeof value === "number") return value;
    } catch {
      return null; // the server says what is wrong with it
    }
  }
  return candidateScore(csv);
}
