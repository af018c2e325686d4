import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";
export type Contrast = "normal" | "more";

const THEME = "mitoscope.theme";
const CONTRAST = "mitoscope.contrast";

/** What was chosen here, else what the system asks for. */
function preferred<Value extends string>(key: string, asked: string, [normal, other]: readonly [Value, Value]): Value {
  const kept = localStorage.getItem(key);
  if (kept === normal) return normal;
  if (kept === other) return other;
  return matchMedia(asked).matches ? other : normal;
}

export const theme = signal<Theme>(preferred(THEME, "(prefers-color-scheme: dark)", ["light", "dark"]));
export const contrast = signal<Contrast>(preferred(CONTRAST, "(prefers-contrast: more)", ["normal", "more"]));

effect(() => {
  const { dataset } = document.documentElement;
  dataset.theme = theme.value;
  dataset.contrast = contrast.value;
});

// Chosen in another tab.
window.addEventListener("storage", ({ key, newValue }) => {
  if (key === THEME && (newValue === "light" || newValue === "dark")) theme.value = newValue;
  if (key === CONTRAST && (newValue === "normal" || newValue === "more")) contrast.value = newValue;
});

export function switchTheme(): void {
  theme.value = theme.value === "light" ? "dark" : "light";
  localStorage.setItem(THEME, theme.value);
}

export function switchContrast(): void {
  contrast.value = contrast.value === "normal" ? "more" : "normal";
  localStorage.setItem(CONTRAST, contrast.value);
}
