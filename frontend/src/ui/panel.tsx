import type { ComponentChildren } from "preact";
import type { History } from "../state/history";

export function Panel({ children, label }: { children: ComponentChildren; label: string }) {
  return (
    <aside class="panel" aria-label={label}>
      {children}
    </aside>
  );
}

export function Section({ title, children }: { title?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section>
      {title && <h3>{title}</h3>}
      {children}
    </section>
  );
}

/** What was done here taken back, and done again. */
export function TurnBack({ history }: { history: History }) {
  return (
    <div class="row">
      <button type="button" disabled={!history.canUndo.value} onClick={() => history.undo()} title="Undo (Ctrl+Z)">
        Undo
      </button>
      <button type="button" disabled={!history.canRedo.value} onClick={() => history.redo()} title="Redo (Ctrl+Shift+Z)">
        Redo
      </button>
    </div>
  );
}

/** How far the work is, in words and as a bar. */
export function Progress({ done, of, what }: { done: number; of: number; what: string }) {
  return (
    <div class="progress">
      <p>
        <b>{done.toLocaleString("en")}</b> of {of.toLocaleString("en")} {what}
      </p>
      <progress max={Math.max(of, 1)} value={done} aria-label={what} />
    </div>
  );
}

/** A page that says what is (not) there, and what to do. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
