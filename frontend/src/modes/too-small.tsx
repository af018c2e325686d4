import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Dialog } from "../ui/dialog";
import type { Point } from "../viewer/frame";
import { formatMagnification, LEAST_TO_LABEL } from "../viewer/magnification";
import type { SlideView } from "../viewer/slide-view";

/** A label that waits for an answer: where, and what is done if it is meant. */
interface Doubtful {
  readonly at: Point;
  act(): void;
}

/** Magnification at which the question proposes to look. */
const CLOSER = 20;

interface Doubt {
  /** Label at a place, after a question where the view is too small to tell cells apart. */
  whenLargeEnough(at: Point, act: () => void): void;
  /** The question, where there is one. */
  readonly question: ComponentChildren;
}

/** Nothing is labelled unasked where it is too small; who has answered is not asked again at the same size. */
export function useDoubt(view: { readonly current: SlideView | null }): Doubt {
  const doubtful = useSignal<Doubtful | null>(null);
  const allowed = useRef(Infinity);
  const whenLargeEnough = (at: Point, act: () => void) => {
    const shown = view.current;
    if (!shown?.isTooSmallToLabel || shown.frame.scale >= allowed.current) act();
    else doubtful.value = { at, act };
  };
  const close = () => (doubtful.value = null);
  const anyway = () => {
    const asked = doubtful.value;
    close();
    allowed.current = view.current?.frame.scale ?? Infinity;
    asked?.act();
  };
  const [asked, shown] = [doubtful.value, view.current];
  const question = asked && shown && <TooSmall view={shown} doubtful={asked} onClose={close} onAnyway={anyway} />;
  return { whenLargeEnough, question };
}

interface Properties {
  view: SlideView;
  doubtful: Doubtful;
  onClose(): void;
  onAnyway(): void;
}

function TooSmall({ view, doubtful, onClose, onAnyway }: Properties) {
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
