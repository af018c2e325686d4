import { signal } from "@preact/signals";
import { Grid3x3 } from "lucide";
import { writeCaption } from "../viewer/caption";
import { faint, INK, PAPER } from "../viewer/colours";
import type { Frame } from "../viewer/frame";
import type { Layer } from "../viewer/layer";
import { formatLength, type Resolution } from "../viewer/resolution";
import type { SlideView } from "../viewer/slide-view";
import { NO_RESOLUTION, type StageTool } from "./stage-tool";

/** CSS pixels between two lines at least. */
const ROOM = 90;
const STEPS = [1, 2, 5, 10] as const;

/** The round distance in µm at which lines are far enough apart to be told, where a µm covers `scale` CSS pixels. */
export function gridStep(scale: number): number {
  const least = ROOM / scale;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * (STEPS.find((step) => step * power >= least) ?? 10);
}

/** Lines at round distances from the slide's corner. */
class GridLayer implements Layer {
  constructor(
    private readonly size: { width: number; height: number },
    private readonly mpp: Resolution,
  ) {}

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const um = gridStep(frame.scale / this.mpp.x);
    const [stepX, stepY] = [um / this.mpp.x, um / this.mpp.y];
    const box = frame.visible();
    const [left, top] = [Math.max(box.x, 0), Math.max(box.y, 0)];
    const [right, bottom] = [Math.min(box.x + box.width, this.size.width), Math.min(box.y + box.height, this.size.height)];
    context.beginPath();
    for (let x = Math.ceil(left / stepX) * stepX; x <= right; x += stepX) this.line(context, frame, [x, top], [x, bottom]);
    for (let y = Math.ceil(top / stepY) * stepY; y <= bottom; y += stepY) this.line(context, frame, [left, y], [right, y]);
    for (const [colour, width] of [
      [faint(PAPER, 0.55), 3],
      [faint(INK, 0.7), 1],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
    writeCaption(context, `grid ${formatLength(um).replace(/\.0+(?= )/, "")}`, { x: frame.width - 118, y: frame.height - 14 });
  }

  private line(context: CanvasRenderingContext2D, frame: Frame, from: [number, number], to: [number, number]): void {
    context.moveTo(frame.screenX(...from), frame.screenY(...from));
    context.lineTo(frame.screenX(...to), frame.screenY(...to));
  }
}

/** A grid over the slide, whose distance follows the magnification. */
export function gridTool(view: SlideView): StageTool {
  const isOn = signal(false);
  const common = { title: "Grid", icon: Grid3x3, key: "Shift+G", isOn };
  const { resolution } = view.picture;
  if (!resolution) return { ...common, refusal: NO_RESOLUTION };
  const layer = new GridLayer(view.picture, resolution);
  let leave: (() => void) | null = null;
  const unwatch = isOn.subscribe((on) => {
    leave?.();
    leave = on ? view.addLayer(layer) : null;
  });
  return { ...common, destroy: unwatch };
}
