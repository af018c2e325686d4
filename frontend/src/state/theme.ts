import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const KEY = "mitoscope.theme";

function preferred(): Theme {
  const kept = localStorage.getItem(KEY);
  if (kept === "light" || kept === "dark") return kept;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export const theme = signal<Theme>(preferred());

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function switchTheme(): void {
  theme.value = theme.value === "light" ? "dark" : "light";
  localStorage.setItem(KEY, theme.value);
}
