import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Point } from "../viewer/frame";
import type { Pointer } from "../viewer/tool";
import type { SlideView } from "../viewer/slide-view";
import { toggle } from "./rail";
import type { StageCells } from "./stage-cells";
import type { StageTool } from "./stage-tool";

/** A finger or a pen that rests so long asks for the menu. */
const LONG_PRESS_MS = 550;
/** CSS pixels that it may tremble. */
const TREMBLE = 10;

/** What a right click or a long press asks about: a place of the slide. */
export function useMenu(view: SlideView | null): Signal<Pointer | null> {
  const asked = useSignal<Pointer | null>(null);
  useEffect(() => {
    if (!view) return;
    let timer = 0;
    let start: Point | null = null;
    const ask = (event: MouseEvent) => (asked.value = view.pointerAt(event));
    const onMenu = (event: MouseEvent) => {
      event.preventDefault();
      window.clearTimeout(timer);
      ask(event);
    };
    const onDown = (event: PointerEvent) => {
      window.clearTimeout(timer);
      if (event.pointerType === "mouse" || !event.isPrimary) return;
      start = { x: event.clientX, y: event.clientY };
      timer = window.setTimeout(() => ask(event), LONG_PRESS_MS);
    };
    const onMove = (event: PointerEvent) => {
      if (start && Math.hypot(event.clientX - start.x, event.clientY - start.y) > TREMBLE) window.clearTimeout(timer);
    };
    const onUp = () => window.clearTimeout(timer);
    const { element } = view;
    element.addEventListener("contextmenu", onMenu);
    element.addEventListener("pointerdown", onDown);
    element.addEventListener("pointermove", onMove);
    for (const kind of ["pointerup", "pointercancel"] as const) element.addEventListener(kind, onUp);
    return () => {
      window.clearTimeout(timer);
      element.removeEventListener("contextmenu", onMenu);
      element.removeEventListener("pointerdown", onDown);
      element.removeEventListener("pointermove", onMove);
      for (const kind of ["pointerup", "pointercancel"] as const) element.removeEventListener(kind, onUp);
    };
  }, [view]);
  return asked;
}

interface Properties {
  asked: Signal<Pointer | null>;
  view: SlideView;
  tools: readonly StageTool[];
  cells: StageCells | undefined;
}

/** What can be done with a place: by right click, or by a long press of a finger or a pen. */
export function Menu({ asked, view, tools, cells }: Properties) {
  const list = useRef<HTMLUListElement>(null);
  const at = asked.value;
  useLayoutEffect(() => {
    if (!at) return;
    list.current?.querySelector("button")?.focus();
    const onPress = (event: PointerEvent) => {
      if (!list.current?.contains(event.target as Node)) asked.value = null;
    };
    window.addEventListener("pointerdown", onPress, true);
    return () => window.removeEventListener("pointerdown", onPress, true);
  }, [at]);
  if (!at) return null;
  const reach = Math.max(25, 12 / view.frame.scale);
  const layer = cells?.isList ? cells.layer() : null;
  const cell = layer?.table.nearest(at.slide.x, at.slide.y, reach, (one) => layer.isShown(one)) ?? null;
  const use = (key: string) => {
    const tool = tools.find((one) => one.key === key);
    if (tool && !(tool.isOn.value && !tool.act)) toggle(tool, tools);
  };
  const onCell = (act: () => void) => () => {
    if (cell) cells?.select(cell.id);
    act();
  };
  const entries = [
    ...(cell
      ? [
          { title: "Select this cell", run: onCell(() => undefined) },
          { title: "Comment on this cell", run: onCell(() => use("Shift+T")) },
          { title: "Copy a link to this cell", run: onCell(() => use("Shift+K")) },
        ]
      : [{ title: "Copy a link to this view", run: () => use("Shift+K") }]),
    { title: "Bring into the middle", run: () => view.goTo(at.slide) },
    { title: "Look at 40×", run: () => view.goTo(at.slide, { magnification: 40 }) },
    { title: "Measure a length", run: () => use("Shift+L") },
  ];
  const onKey = (event: KeyboardEvent) => {
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") asked.value = null;
    else if (by !== undefined) buttons[(buttons.indexOf(document.activeElement as HTMLButtonElement) + by + buttons.length) % buttons.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const place = {
    left: `${Math.min(at.screen.x, view.frame.width - 210)}px`,
    top: `${Math.min(at.screen.y, Math.max(view.frame.height - 36 * entries.length - 16, 0))}px`,
  };
  return (
    <ul ref={list} class="menu" role="menu" aria-label="At this place" style={place} onKeyDown={onKey}>
      {entries.map((entry) => (
        <li key={entry.title} role="none">
          <button
            type="button"
            role="menuitem"
            class="plain"
            onClick={() => {
              asked.value = null;
              entry.run();
            }}
          >
            {entry.title}
          </button>
        </li>
      ))}
    </ul>
  );
}
