import { signal } from "@preact/signals";
import { ZoomIn } from "lucide";
import type { Point } from "../viewer/frame";
import { scaleOf } from "../viewer/magnification";
import { SlideView } from "../viewer/slide-view";
import type { StageTool } from "./stage-tool";

const SIDE = 220;
/** CSS pixels between the pointer and the glass. */
const GAP = 28;
const MAGNIFICATION = 40;

/** So much larger than the view the glass shows the slide: at 40×, and twice as large at least. */
export function glassScale(scale: number, mpp: number | null): number {
  return Math.max(mpp === null ? 1 : scaleOf(MAGNIFICATION, mpp), 2 * scale);
}

/** Where the glass lies beside the pointer, so that it is all in the view. */
export function glassPlace(at: Point, view: { width: number; height: number }): Point {
  const x = at.x + GAP + SIDE <= view.width ? at.x + GAP : at.x - GAP - SIDE;
  const y = Math.min(Math.max(at.y - SIDE / 2, 8), Math.max(view.height - SIDE - 8, 8));
  return { x: Math.max(x, 8), y };
}

/** A glass beside the pointer that shows what is under it larger, without marks. */
export function magnifierTool(view: SlideView): StageTool {
  const isOn = signal(false);
  let glass: { element: HTMLElement; inner: SlideView } | null = null;
  const close = () => {
    glass?.inner.destroy();
    glass?.element.remove();
    glass = null;
  };
  const open = () => {
    const element = document.createElement("div");
    element.className = "loupe";
    element.hidden = true;
    view.element.parentElement?.append(element);
    glass = { element, inner: new SlideView(element, view.picture) };
  };
  const follow = (event: PointerEvent) => {
    if (!glass || event.pointerType === "touch") return;
    const bounds = view.element.getBoundingClientRect();
    const screen = { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
    const { frame } = view;
    const { x, y } = glassPlace(screen, frame);
    glass.element.hidden = false;
    glass.element.style.transform = `translate(${x}px, ${y}px)`;
    glass.inner.rotateTo(frame.degrees);
    glass.inner.goTo(frame.toSlide(screen), { scale: glassScale(frame.scale, view.picture.mpp), now: true });
  };
  const hide = () => {
    if (glass) glass.element.hidden = true;
  };
  view.element.addEventListener("pointermove", follow);
  view.element.addEventListener("pointerleave", hide);
  const unwatch = isOn.subscribe((on) => {
    close();
    if (on) open();
  });
  const destroy = () => {
    unwatch();
    close();
    view.element.removeEventListener("pointermove", follow);
    view.element.removeEventListener("pointerleave", hide);
  };
  return { title: "Magnifier", icon: ZoomIn, key: "Shift+M", isOn, destroy };
}
