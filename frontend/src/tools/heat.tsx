import { effect, signal } from "@preact/signals";
import { Flame } from "lucide";
import { ANCHORS } from "../viewer/density";
import type { Frame } from "../viewer/frame";
import { heatMap, pictureOfHeat, type HeatKind, type HeatMap } from "../viewer/heat-map";
import type { Layer } from "../viewer/layer";
import type { SlideView } from "../viewer/slide-view";
import type { StageCells } from "./stage-cells";
import type { StageTool } from "./stage-tool";

/** It follows the cells so often at most. */
const PATIENCE_MS = 400;

/** Density or scores of the shown cells, under their marks. */
class HeatLayer implements Layer {
  readonly map = signal<HeatMap | null>(null);
  private drawn: { key: string; at: number; picture: ReturnType<typeof pictureOfHeat> } | null = null;
  private timer = 0;

  constructor(
    private readonly view: SlideView,
    private readonly cells: StageCells,
    private readonly kind: () => HeatKind,
  ) {}

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const picture = this.current();
    if (!picture) return;
    frame.apply(context, window.devicePixelRatio || 1);
    context.imageSmoothingEnabled = true;
    context.drawImage(picture.picture, picture.box.x, picture.box.y, picture.box.width, picture.box.height);
  }

  stop(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
  }

  private current(): ReturnType<typeof pictureOfHeat> {
    const layer = this.cells.layer();
    if (!layer) return null;
    const key = `${layer.state} ${this.kind()}`;
    if (this.drawn?.key === key) return this.drawn.picture;
    const now = performance.now();
    const isSame = this.drawn?.key.endsWith(this.kind()) ?? false;
    if (this.drawn && isSame && now - this.drawn.at < PATIENCE_MS) {
      this.timer ||= window.setTimeout(() => {
        this.timer = 0;
        this.view.redraw();
      }, PATIENCE_MS);
      return this.drawn.picture;
    }
    const map = heatMap(
      [...layer.table.all()].filter((cell) => layer.isShown(cell)),
      this.view.picture,
      this.kind(),
    );
    this.drawn = { key, at: now, picture: pictureOfHeat(map) };
    queueMicrotask(() => (this.map.value = map));
    return this.drawn.picture;
  }
}

/** Where the shown cells are dense, or score high. */
export function heatTool(view: SlideView, cells: StageCells): StageTool {
  const isOn = signal(false);
  const kind = signal<HeatKind>("density");
  const layer = new HeatLayer(view, cells, () => kind.value);
  let leave: (() => void) | null = null;
  const unwatch = effect(() => {
    void kind.value;
    leave?.();
    leave = isOn.value ? view.addLayer(layer, { isBelow: true }) : null;
  });
  const { resolution } = view.picture;
  const Face = () => {
    const map = layer.map.value;
    const mm2 = map && resolution ? map.side * map.side * (resolution.x / 1000) * (resolution.y / 1000) : null;
    const isEmpty = map !== null && map.weights.every((weight) => weight === 0);
    return (
      <>
        <div class="segments" role="group" aria-label="What is shown">
          {(["density", "score"] as const).map((one) => (
            <button key={one} type="button" aria-pressed={kind.value === one} onClick={() => (kind.value = one)}>
              {one === "density" ? "Density" : "Score"}
            </button>
          ))}
        </div>
        {isEmpty ? (
          <p class="soft">{kind.value === "score" ? "No cell that is shown has a score you may see." : "No cell is shown."}</p>
        ) : (
          map && (
            <>
              <div class="scale" style={{ backgroundImage: `linear-gradient(to right, ${ANCHORS.join(", ")})` }} />
              <p class="spread">
                <span>0</span>
                <b>
                  {kind.value === "score" ? "1 mean score" : mm2 === null ? "most cells" : `${Math.round(map.highest / mm2).toLocaleString("en")} cells/mm²`}
                </b>
              </p>
            </>
          )
        )}
      </>
    );
  };
  return {
    title: "Heat map",
    icon: Flame,
    key: "Shift+D",
    isOn,
    Face,
    destroy: () => {
      unwatch();
      layer.stop();
    },
  };
}
