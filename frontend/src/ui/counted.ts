/** A plural as it stands after a number: "cells" after 2, "cell" after 1. */
export function after(n: number, plural: string): string {
  return n === 1 ? plural.replace(/s$/, "") : plural;
}

/** A number with its noun: "1 cell", "1,234 cells", "2 entries". */
export function counted(n: number, noun: string): string {
  const plural = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${n.toLocaleString("en")} ${n === 1 ? noun : plural}`;
}
