import { computed, signal } from "@preact/signals";
import { Droplets, SunMedium } from "lucide";
import { AS_IT_IS, canFilter, isChanged, look, type Look } from "../viewer/look";
import type { StageTool } from "./stage-tool";

const CANNOT = "This browser cannot draw slides through a filter; a current one can.";

/** Brightness, contrast and gamma, of all slides that this viewer looks at. */
export function adjustTool(): StageTool {
  return {
    title: "Brightness and contrast",
    icon: SunMedium,
    key: "Shift+B",
    isOn: signal(false),
    refusal: canFilter ? null : CANNOT,
    Face: AdjustFace,
  };
}

const SLIDERS = [
  { name: "brightness", title: "Brightness", low: -1, high: 1, step: 0.02, shown: (value: number) => signed(100 * value) },
  { name: "contrast", title: "Contrast", low: -1, high: 1, step: 0.02, shown: (value: number) => signed(100 * value) },
  { name: "gamma", title: "Gamma", low: 0.2, high: 3, step: 0.05, shown: (value: number) => value.toFixed(2) },
] as const;

function signed(percent: number): string {
  const whole = Math.round(percent);
  return `${whole > 0 ? "+" : ""}${whole} %`;
}

function AdjustFace() {
  const now = look.value;
  const set = (change: Partial<Look>) => (look.value = { ...now, ...change });
  return (
    <>
      {SLIDERS.map(({ name, title, low, high, step, shown }) => (
        <label key={name} class="field">
          <span class="spread">
            {title} <b>{shown(now[name])}</b>
          </span>
          <input type="range" min={low} max={high} step={step} value={now[name]} onInput={(event) => set({ [name]: event.currentTarget.valueAsNumber })} />
        </label>
      ))}
      <button type="button" disabled={!isChanged(now)} onClick={() => set({ ...AS_IT_IS, isHaematoxylin: now.isHaematoxylin })}>
        Reset
      </button>
    </>
  );
}

/** What haematoxylin alone absorbs (colour deconvolution). */
export function haematoxylinTool(): StageTool {
  const isOn = signal(look.value.isHaematoxylin);
  const leave = isOn.subscribe((on) => {
    if (on !== look.peek().isHaematoxylin) look.value = { ...look.peek(), isHaematoxylin: on };
  });
  const follow = computed(() => look.value.isHaematoxylin).subscribe((on) => (isOn.value = on));
  return {
    title: "Haematoxylin only",
    icon: Droplets,
    key: "Shift+H",
    isOn,
    refusal: canFilter ? null : CANNOT,
    destroy: () => {
      leave();
      follow();
    },
  };
}

/** Says that slides are not shown as they are stained. */
export function LookNotice() {
  const now = look.value;
  if (!canFilter || !(isChanged(now) || now.isHaematoxylin)) return null;
  const what = [now.isHaematoxylin && "Haematoxylin only", isChanged(now) && "adjusted"].filter(Boolean).join(", ");
  return (
    <button type="button" class="look" title="Show the slide as it is" onClick={() => (look.value = AS_IT_IS)}>
      {what.charAt(0).toUpperCase() + what.slice(1)} ✕
    </button>
  );
}
