import { Dialog } from "../ui/dialog";
import type { Point } from "../viewer/frame";
import { formatMagnification, LEAST_TO_LABEL } from "../viewer/magnification";
import type { SlideView } from "../viewer/slide-view";

/** A label that waits for an answer: where, and what is done if it is meant. */
export interface Doubtful {
  readonly at: Point;
  act(): void;
}

/** Magnification at which the question proposes to look. */
const CLOSER = 20;

interface Properties {
  view: SlideView;
  doubtful: Doubtful;
  onClose(): void;
  onAnyway(): void;
}

/** Asks before anything is labelled so small that nobody can tell what it is. */
export function TooSmall({ view, doubtful, onClose, onAnyway }: Properties) {
  const { magnification } = view;
  const now = magnification === null ? "this size" : formatMagnification(magnification);
  const closer = () => {
    onClose();
    view.goTo(doubtful.at, view.picture.mpp === null ? { scale: 0.5 } : { magnification: CLOSER });
  };
  return (
    <Dialog title={`Label at ${now}?`} onClose={onClose}>
      <div class="form">
        <p>Below {LEAST_TO_LABEL}× a mitotic figure cannot be told from a look-alike. Nothing is labelled yet.</p>
        <div class="actions">
          <button type="button" onClick={onAnyway}>
            Label anyway
          </button>
          <button type="button" class="primary" autofocus onClick={closer}>
            Look closer
          </button>
        </div>
      </div>
    </Dialog>
  );
}
