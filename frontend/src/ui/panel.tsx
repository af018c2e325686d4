import { Redo2, Undo2, type IconNode } from "lucide";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { History } from "../state/history";
import { after } from "./counted";
import { Icon } from "./icon";
import { Grip, sheet } from "./sheet";

/** What is worked with, beside the slide; on a phone a sheet at the bottom that is drawn up. */
export function Panel({ children, label }: { children: ComponentChildren; label: string }) {
  const element = useRef<HTMLElement>(null);
  return (
    <aside ref={element} class="panel" aria-label={label} data-sheet={sheet.value}>
      <Grip of={element} />
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
      <button type="button" disabled={!history.canUndo.value} onClick={() => history.undo()} data-tip="Undo (Ctrl Z)">
        <Icon of={Undo2} size={16} /> Undo
      </button>
      <button type="button" disabled={!history.canRedo.value} onClick={() => history.redo()} data-tip="Redo (Ctrl Shift Z)">
        <Icon of={Redo2} size={16} /> Redo
      </button>
    </div>
  );
}

/** How far the work is, in words and as a bar. */
export function Progress({ done, of, what }: { done: number; of: number; what: string }) {
  return (
    <div class="progress">
      <p>
        <b>{done.toLocaleString("en")}</b> of {of.toLocaleString("en")} {after(of, what)}
      </p>
      <progress max={Math.max(of, 1)} value={done} aria-label={what} />
    </div>
  );
}

/** A page that says what is (not) there, and what to do. */
export function Empty({ title, icon, children }: { title: string; icon?: IconNode; children?: ComponentChildren }) {
  return (
    <div class="empty">
      {icon && <Icon of={icon} size={32} />}
      <h2>{title}</h2>
      {children}
    </div>
  );
}
