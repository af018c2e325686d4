import { computed, signal } from "@preact/signals";
import { Pentagon, Ruler, type IconNode } from "lucide";
import { useCommands } from "../keys/commands";
import { writeCaption } from "../viewer/caption";
import { faint, MEASURED, PAPER } from "../viewer/colours";
import type { Frame, Point } from "../viewer/frame";
import { strokeCased, type Layer } from "../viewer/layer";
import { areaMm2, formatArea, formatLength, lengthUm, type Resolution } from "../viewer/resolution";
import type { SlideView } from "../viewer/slide-view";
import type { Pointer, Tool } from "../viewer/tool";
import { NO_RESOLUTION, type StageTool } from "./stage-tool";

/** A drag shorter than this in CSS pixels was meant as a click. */
const REACH = 6;

export interface Measured {
  readonly points: readonly Point[];
  readonly isArea: boolean;
}

/** What a measured line or area says. */
export function reading({ points, isArea }: Measured, mpp: Resolution): string {
  if (!isArea) return formatLength(lengthUm(points, mpp));
  const around = [...points, ...points.slice(0, 1)];
  return `${formatArea(areaMm2(points, mpp))}, perimeter ${formatLength(lengthUm(around, mpp))}`;
}

/** What was measured on a view, drawn with its readings. */
class Measurements implements Layer {
  readonly all = signal<readonly Measured[]>([]);
  /** What is being drawn. */
  draft: Measured | null = null;

  constructor(
    readonly view: SlideView,
    readonly mpp: Resolution,
  ) {}

  add(one: Measured): void {
    this.all.value = [...this.all.value, one];
  }

  clear(): void {
    this.all.value = [];
    this.view.redraw();
  }

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    for (const one of this.all.value) this.drawOne(context, frame, one);
    if (this.draft) this.drawOne(context, frame, this.draft);
  }

  private drawOne(context: CanvasRenderingContext2D, frame: Frame, one: Measured): void {
    const places = one.points.map((point) => frame.toScreen(point));
    const last = places.at(-1);
    if (!last) return;
    context.beginPath();
    for (const { x, y } of places) context.lineTo(x, y);
    if (one.isArea) {
      context.closePath();
      context.fillStyle = faint(MEASURED, 0.12);
      context.fill();
    }
    strokeCased(context, MEASURED, { width: 2 });
    if (!one.isArea) for (const place of [places[0]!, last]) drawEnd(context, place);
    writeCaption(context, reading(one, this.mpp), { x: last.x + 10, y: last.y - 8 }, { colour: MEASURED });
  }
}

/** Lines by drag or by two clicks; areas corner by corner, or drawn in one drag. */
class Measuring implements Tool {
  readonly draft = signal<readonly Point[]>([]);
  private floating: Point | null = null;
  private isBegun = false;

  constructor(
    private readonly measured: Measurements,
    private readonly isArea: boolean,
  ) {}

  private get view(): SlideView {
    return this.measured.view;
  }

  private distance(one: Point, other: Point): number {
    return Math.hypot(one.x - other.x, one.y - other.y) * this.view.frame.scale;
  }

  press({ slide }: Pointer): boolean {
    this.isBegun = this.draft.value.length === 0;
    if (this.isBegun) this.show([slide]);
    return true;
  }

  drag({ slide }: Pointer): void {
    const points = this.draft.value;
    if (!this.isArea) this.show([points[0]!, slide]);
    else if (this.isBegun && this.distance(points.at(-1)!, slide) > REACH) this.show([...points, slide]);
  }

  release({ slide }: Pointer): void {
    const points = this.draft.value;
    if (this.isArea) {
      if (this.isBegun && points.length > 2) this.finish();
    } else if (points.length > 1 && this.distance(points[0]!, slide) > REACH) this.finish();
    else this.show(points.slice(0, 1));
  }

  click({ slide }: Pointer): void {
    const points = this.draft.value;
    const isFirst = points.length === 0 || this.isBegun;
    if (isFirst) return;
    const closes = points.length > 2 && this.distance(points[0]!, slide) < 2 * REACH;
    if (!closes) this.show([...points, slide]);
    if (closes || !this.isArea) this.finish();
  }

  hover({ slide }: Pointer): void {
    this.floating = slide;
    if (this.draft.value.length > 0) this.show(this.draft.value);
  }

  cursor(): string {
    return "crosshair";
  }

  finish(): void {
    const points = this.draft.value;
    if (points.length >= (this.isArea ? 3 : 2)) this.measured.add({ points, isArea: this.isArea });
    this.show([]);
  }

  /** Drop what is drawn; return whether there was anything. */
  drop(): boolean {
    const had = this.draft.value.length > 0;
    this.show([]);
    return had;
  }

  private show(points: readonly Point[]): void {
    this.draft.value = points;
    if (points.length === 0) this.floating = null;
    const isOpen = this.floating && (this.isArea || points.length === 1);
    const all = isOpen ? [...points, this.floating!] : points;
    this.measured.draft = all.length > 0 ? { points: all, isArea: this.isArea } : null;
    this.view.redraw();
  }
}

function drawEnd(context: CanvasRenderingContext2D, { x, y }: Point): void {
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.fillStyle = PAPER;
  context.fill();
  context.strokeStyle = MEASURED;
  context.stroke();
}

/** Measure lengths in µm and areas in mm², by the slide's own resolution. */
export function measureTools(view: SlideView): StageTool[] {
  const mpp = view.picture.resolution;
  const kinds = [
    { title: "Measure a length", icon: Ruler, key: "Shift+L", isArea: false },
    { title: "Measure an area", icon: Pentagon, key: "Shift+A", isArea: true },
  ];
  if (!mpp) return kinds.map((kind) => ({ ...kind, isOn: signal(false), takesPointer: true, refusal: NO_RESOLUTION }));
  const measured = new Measurements(view, mpp);
  const tools = kinds.map((kind) => measureTool(measured, kind));
  let hide: (() => void) | null = null;
  const isShown = computed(() => tools.some((tool) => tool.isOn.value));
  const unwatch = isShown.subscribe((shown) => {
    hide?.();
    hide = shown ? view.addLayer(measured) : null;
  });
  return tools.map((tool, at) => (at > 0 ? tool : { ...tool, destroy: unwatch }));
}

function measureTool(measured: Measurements, { isArea, ...kind }: { title: string; icon: IconNode; key: string; isArea: boolean }): StageTool {
  const isOn = signal(false);
  const measuring = new Measuring(measured, isArea);
  let giveBack: (() => void) | null = null;
  isOn.subscribe((on) => {
    giveBack?.();
    giveBack = on ? measured.view.borrow(measuring) : null;
    if (!on) measuring.drop();
  });
  const Face = () => {
    useCommands(kind.title, [
      { keys: ["Escape"], title: "Drop what is being measured, or stop", run: () => measuring.drop() || (isOn.value = false) },
      ...(isArea ? [{ keys: ["Enter"], title: "Close the area", run: () => measuring.finish() }] : []),
    ]);
    const all = measured.all.value;
    return (
      <>
        <p class="soft">{isArea ? "Click corner by corner, Enter closes it; or draw around it." : "Drag a line, or click its two ends."}</p>
        {all.length > 0 && (
          <>
            <ul class="readings">
              {all.map((one, at) => (
                <li key={at}>{reading(one, measured.mpp)}</li>
              ))}
            </ul>
            <button type="button" onClick={() => measured.clear()}>
              Clear
            </button>
          </>
        )}
      </>
    );
  };
  return { ...kind, isOn, takesPointer: true, Face };
}
