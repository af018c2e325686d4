import { signal, useSignal } from "@preact/signals";
import { Columns2, Link2, Unlink } from "lucide";
import { useEffect, useRef, useState } from "preact/hooks";
import { me } from "../state/session";
import { Icon } from "../ui/icon";
import type { Frame } from "../viewer/frame";
import { following, type Joint } from "../viewer/joint";
import { scaleOf } from "../viewer/magnification";
import { isOpenSlide, pictureOf, type OpenSlide } from "../viewer/picture";
import { SlideView } from "../viewer/slide-view";
import type { StageTool } from "./stage-tool";

/** A second slide beside the first, to compare; it moves along unless it is let loose. */
export function besideTool(view: SlideView, slide: string): StageTool {
  const isOn = signal(false);
  return { title: "Second slide beside", icon: Columns2, key: "Shift+S", isOn, Beside: () => <Second first={view} name={slide} /> };
}

function Second({ first, name }: { first: SlideView; name: string }) {
  const slides = (me.value?.slides ?? []).filter(isOpenSlide);
  const [chosen, setChosen] = useState(() => (slides.find((one) => one.name !== name) ?? slides[0])?.id ?? 0);
  const slide = slides.find((one) => one.id === chosen);
  const isJoined = useSignal(true);
  return (
    <section class="second" aria-label="Second slide">
      <header>
        <select class="small grow" aria-label="Slide beside" value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
          {slides.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </select>
        <button
          type="button"
          class="plain icon"
          aria-pressed={isJoined.value}
          aria-label="Move both together"
          title={isJoined.value ? "They move together" : "Each moves by itself"}
          onClick={() => (isJoined.value = !isJoined.value)}
        >
          <Icon of={isJoined.value ? Link2 : Unlink} />
        </button>
      </header>
      {slide && <Beside key={slide.id} first={first} slide={slide} isJoined={isJoined.value} />}
    </section>
  );
}

function Beside({ first, slide, isJoined }: { first: SlideView; slide: OpenSlide; isJoined: boolean }) {
  const element = useRef<HTMLDivElement>(null);
  const [second, setSecond] = useState<SlideView | null>(null);
  useEffect(() => {
    if (!element.current) return;
    const made = new SlideView(element.current, pictureOf(slide));
    const { magnification } = first;
    const middle = { x: slide.width / 2, y: slide.height / 2 };
    if (magnification !== null && slide.mpp !== null) made.goTo(middle, { scale: scaleOf(magnification, slide.mpp), now: true });
    setSecond(made);
    return () => made.destroy();
  }, []);
  useEffect(() => (second && isJoined ? join(first, second) : undefined), [second, isJoined]);
  return (
    <div class="glass">
      <div ref={element} class="slide" role="application" aria-label={`Slide ${slide.name}`} />
    </div>
  );
}

/** Have two views move together, from how they lie now; the one that a person moves leads. */
function join(first: SlideView, second: SlideView): () => void {
  let joint: Joint | null = null;
  let leader = first;
  const lead = (view: SlideView) => () => {
    if (leader === view) return;
    leader = view;
    joint = null;
  };
  const onMove = (view: SlideView) => (now: Frame) => {
    const other = view === first ? second : first;
    if (view !== leader || !other.isOpen) return;
    if (!joint) return void (joint = { leader: now, follower: other.frame });
    const { centre, scale, degrees } = following(now, joint);
    other.rotateTo(degrees, true);
    other.goTo(centre, { scale, now: true });
  };
  const leaves = [first, second].flatMap((view) => {
    const act = lead(view);
    const kinds = ["pointerdown", "wheel"] as const;
    for (const kind of kinds) view.element.addEventListener(kind, act, { capture: true, passive: true });
    return [view.watch(onMove(view)), () => kinds.forEach((kind) => view.element.removeEventListener(kind, act, true))];
  });
  const byKey = lead(first);
  window.addEventListener("keydown", byKey, true);
  return () => {
    window.removeEventListener("keydown", byKey, true);
    for (const leave of leaves) leave();
  };
}
