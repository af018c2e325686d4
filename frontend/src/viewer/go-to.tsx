import { useState } from "preact/hooks";
import { Dialog } from "../ui/dialog";
import type { SlideView } from "./slide-view";

/** Asks for a place in level-0 pixels and goes there. */
export function GoTo({ view, onClose }: { view: SlideView; onClose(): void }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const { width, height } = view.picture;
  const submit = (event: Event) => {
    event.preventDefault();
    const [x, y] = text
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map(Number);
    const fits = x !== undefined && y !== undefined && x >= 0 && y >= 0 && x <= width && y <= height;
    if (!fits) return setProblem(`Two numbers, at most ${width} and ${height}.`);
    view.goTo({ x, y }, { magnification: 40 });
    onClose();
  };
  return (
    <Dialog title="Go to" onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <label class="field">
          <span>x, y in level-0 pixels</span>
          <input
            value={text}
            placeholder={`${Math.round(width / 2)}, ${Math.round(height / 2)}`}
            inputMode="numeric"
            aria-invalid={problem !== null}
            onInput={(event) => setText(event.currentTarget.value)}
            autofocus
          />
        </label>
        {problem && <p class="problem">{problem}</p>}
        <div class="actions">
          <button type="submit" class="primary">
            Go
          </button>
        </div>
      </form>
    </Dialog>
  );
}
