import { signal } from "@preact/signals";

interface Toast {
  readonly id: number;
  readonly kind: "note" | "warning";
  readonly text: string;
  readonly mend: string | null;
}

const toasts = signal<readonly Toast[]>([]);
let count = 0;

/** Say something for a while; warnings stay until they are closed. */
export function say(text: string, { kind = "note", mend = null }: { kind?: Toast["kind"]; mend?: string | null } = {}): void {
  count += 1;
  const id = count;
  toasts.value = [...toasts.value.filter((toast) => toast.text !== text), { id, kind, text, mend }].slice(-4);
  if (kind === "note") setTimeout(() => dismiss(id), 4000);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.kind}`}>
          <p>
            {toast.text}
            {toast.mend && <small>{toast.mend}</small>}
          </p>
          <button type="button" class="plain icon" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
