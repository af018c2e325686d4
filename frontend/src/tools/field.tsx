import { effect, signal } from "@preact/signals";
import { CircleDashed } from "lucide";
import { writeCaption } from "../viewer/caption";
import { EYEPIECE } from "../viewer/colours";
import type { Frame } from "../viewer/frame";
import { strokeCased, type Layer } from "../viewer/layer";
import { formatArea, formatLength, type Resolution } from "../viewer/resolution";
import type { SlideView } from "../viewer/slide-view";
import { NO_RESOLUTION, type StageTool } from "./stage-tool";

/** One high-power field of the published counts: 10 of them are 2.37 mm² (Donovan et al. 2021). */
const HPF_MM2 = 0.237;
const OBJECTIVE = 40;
const KEY = "mitoscope.field-number";

/** The diameter in µm of the field of an eyepiece's field number (mm) at 40×, or of one high-power field where null. */
export function fieldDiameterUm(fieldNumber: number | null): number {
  if (fieldNumber === null) return 2000 * Math.sqrt(HPF_MM2 / Math.PI);
  return (fieldNumber / OBJECTIVE) * 1000;
}

/** The area of a circle of a diameter in µm, in mm². */
export function circleMm2(diameterUm: number): number {
  return Math.PI * (diameterUm / 2000) ** 2;
}

/** The field number of the viewer's own microscope in mm; null for the field of 0.237 mm². */
const fieldNumber = signal<number | null>(Number(localStorage.getItem(KEY)) || null);

effect(() => {
  if (fieldNumber.value === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, String(fieldNumber.value));
});

/** What the eyepiece of a microscope would show, in the middle of the view. */
class FieldLayer implements Layer {
  constructor(private readonly mpp: Resolution) {}

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const diameter = fieldDiameterUm(fieldNumber.value);
    const [across, down] = [(diameter / 2 / this.mpp.x) * frame.scale, (diameter / 2 / this.mpp.y) * frame.scale];
    const [x, y] = [frame.width / 2, frame.height / 2];
    context.beginPath();
    context.ellipse(x, y, across, down, (frame.degrees * Math.PI) / 180, 0, 2 * Math.PI);
    strokeCased(context, EYEPIECE, { width: 2.5 });
    const words = `${formatArea(circleMm2(diameter))}, ⌀ ${formatLength(diameter)}`;
    writeCaption(context, words, { x: Math.max(x - 80, 8), y: Math.max(y - down - 4, 72) }, { colour: EYEPIECE });
  }
}

/** The circle of a high-power field: 0.237 mm², or that of one's own microscope. */
export function fieldTool(view: SlideView): StageTool {
  const isOn = signal(false);
  const common = { title: "High-power field", icon: CircleDashed, key: "Shift+F", isOn };
  const { resolution } = view.picture;
  if (!resolution) return { ...common, refusal: NO_RESOLUTION };
  const layer = new FieldLayer(resolution);
  let leave: (() => void) | null = null;
  const unwatch = effect(() => {
    void fieldNumber.value;
    leave?.();
    leave = isOn.value ? view.addLayer(layer) : null;
  });
  return { ...common, Face: FieldFace, destroy: unwatch };
}

function FieldFace() {
  const diameter = fieldDiameterUm(fieldNumber.value);
  return (
    <>
      <label class="field">
        <span>Field number of your eyepiece in mm, at 40×</span>
        <input
          type="number"
          min={10}
          max={40}
          step={0.5}
          value={fieldNumber.value ?? ""}
          placeholder="standard"
          onInput={(event) => {
            const typed = event.currentTarget.valueAsNumber;
            fieldNumber.value = typed >= 10 && typed <= 40 ? typed : null;
          }}
        />
      </label>
      <p class="soft">{`${formatArea(circleMm2(diameter))}, ${fieldNumber.value === null ? "the standard field" : "yours"}`}</p>
    </>
  );
}
