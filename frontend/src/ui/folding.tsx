import { useSignal } from "@preact/signals";
import type { IconNode } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icon";

interface Properties {
  label: string;
  icon: IconNode;
  class: string;
  children: ComponentChildren;
}

/** A bar that lies open where there is room; on a phone it folds into one button. */
export function Folding({ label, icon, class: name, children }: Properties) {
  const isOpen = useSignal(false);
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen.value) return;
    const onPress = (event: PointerEvent) => {
      if (!element.current?.contains(event.target as Node)) isOpen.value = false;
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      isOpen.value = false;
    };
    window.addEventListener("pointerdown", onPress, true);
    window.addEventListener("keydown", onKey, true);
    return () => {
      window.removeEventListener("pointerdown", onPress, true);
      window.removeEventListener("keydown", onKey, true);
    };
  }, [isOpen.value]);
  return (
    <div ref={element} class={`folding ${name}`} data-open={isOpen.value}>
      <button type="button" class="icon unfold" aria-label={label} aria-expanded={isOpen.value} onClick={() => (isOpen.value = !isOpen.value)}>
        <Icon of={icon} />
      </button>
      <div class="folded-in" onClick={(event) => (event.target as Element).closest("button, a") && (isOpen.value = false)}>
        {children}
      </div>
    </div>
  );
}
