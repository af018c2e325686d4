import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { X } from "lucide";
import { Icon } from "./icon";
import { Toasts } from "./toast";

/** The dialogs that are open, the topmost last. */
export const openDialogs = signal<readonly string[]>([]);

interface Properties {
  title: string;
  onClose(): void;
  wide?: boolean;
  children: ComponentChildren;
}

/** A modal dialog; Esc closes it, focus stays inside and goes back to where it was. */
export function Dialog({ title, onClose, wide = false, children }: Properties) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const live = useRef(onClose);
  live.current = onClose;
  // Open before the next key is heard, so that an Esc right after it is the dialog's.
  useLayoutEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    const closed = () => live.current();
    dialog?.addEventListener("close", closed);
    dialog?.showModal();
    openDialogs.value = [...openDialogs.value, heading];
    return () => {
      openDialogs.value = openDialogs.value.filter((other) => other !== heading);
      dialog?.removeEventListener("close", closed);
      dialog?.close();
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog ref={element} class={wide ? "wide" : ""} aria-labelledby={heading} onClick={(event) => event.target === element.current && onClose()}>
      <div class="sheet">
        <header>
          <h2 id={heading}>{title}</h2>
          <button type="button" class="plain icon" aria-label="Close" onClick={onClose}>
            <Icon of={X} />
          </button>
        </header>
        {children}
      </div>
      {openDialogs.value.at(-1) === heading && <Toasts />}
    </dialog>
  );
}
