import { signal } from "@preact/signals";
import { CircleCheck, TriangleAlert, X } from "lucide";
import { Icon } from "./icon";
import { sentence } from "./words";

interface Toast {
  readonly id: number;
  readonly kind: "note" | "warning";
  readonly text: string;
  readonly mend: string | null;
  /** The page that it is about: it does not follow to another. */
  readonly place: string;
}

const NOTE_MS = 4000;
export const toasts = signal<readonly Toast[]>([]);
let count = 0;

window.addEventListener("hashchange", () => {
  toasts.value = toasts.value.filter((toast) => toast.place === location.hash);
});

interface Manner {
  kind?: Toast["kind"];
  mend?: string | null;
}

/** Say something for a while, on this page; warnings stay until they are closed. Lines of the server become sentences. */
export function say(line: string, { kind = "note", mend = null }: Manner = {}): void {
  count += 1;
  const toast: Toast = { id: count, kind, text: sentence(line), mend: mend && sentence(mend), place: location.hash };
  toasts.value = [...toasts.value.filter((other) => other.text !== toast.text), toast].slice(-4);
  if (kind === "note") setTimeout(() => dismiss(toast.id), NOTE_MS);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** What is said now. A modal dialog shows it itself: it covers, and silences, all that is not in it. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.kind}`}>
          <Icon of={toast.kind === "warning" ? TriangleAlert : CircleCheck} />
          <p>
            {toast.text}
            {toast.mend && <small>{toast.mend}</small>}
          </p>
          <button type="button" class="plain icon" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
            <Icon of={X} size={16} />
          </button>
        </div>
      ))}
    </div>
  );
}
