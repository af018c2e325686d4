/** An area in mm² with so many digits that a small one is not nought. */
export function formatMm2(mm2: number): string {
  return mm2 === 0 || mm2 >= 0.1 ? mm2.toFixed(2) : mm2.toPrecision(2);
}
