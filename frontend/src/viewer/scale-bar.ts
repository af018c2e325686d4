/** A length that reads well, and how many CSS pixels it takes. */
export interface ScaleBar {
  readonly label: string;
  readonly width: number;
}

const STEPS = [1, 2, 5] as const;

/** The longest round length that fits `room` CSS pixels, where one level-0 pixel covers `scale` of them. */
export function scaleBar(scale: number, mpp: number, room: number): ScaleBar {
  const umMax = (room * mpp) / scale;
  const power = 10 ** Math.floor(Math.log10(umMax));
  const step = [...STEPS].reverse().find((one) => one * power <= umMax) ?? 1;
  const um = step * power;
  const label = um >= 1000 ? `${um / 1000} mm` : `${Number(um.toPrecision(2))} µm`;
  return { label, width: (um * scale) / mpp };
}
