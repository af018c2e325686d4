import { useSignal } from "@preact/signals";
import { Camera, LocateFixed, RotateCw, Wrench } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Away, Refusal } from "../api/errors";
import { get } from "../api/request";
import { useCommands } from "../keys/commands";
import { sayError } from "../state/session";
import { LookNotice } from "../tools/adjust";
import { useTools } from "../tools/bench";
import { useAddress } from "../tools/links";
import { Menu, useMenu } from "../tools/menu";
import { Faces, Rail } from "../tools/rail";
import { Folding } from "../ui/folding";
import { Icon } from "../ui/icon";
import { sentence } from "../ui/words";
import type { Trouble } from "./arrivals";
import type { StageCells } from "../tools/stage-cells";
import type { Frame, Point } from "./frame";
import { GoTo } from "./go-to";
import { formatMagnification, magnificationOf, PRESETS } from "./magnification";
import { MiniMap, type MiniMapLayer } from "./mini-map";
import { scaleBar } from "./scale-bar";
import { SlideView, type Picture } from "./slide-view";
import { download, snapshot } from "./snapshot";

interface Properties {
  picture: Picture;
  /** Stands in the names of snapshots. */
  name: string;
  /** Address of the overview, where there is one. */
  thumbnail?: string;
  mapLayers?: readonly MiniMapLayer[];
  /** The cells that are worked on, for the tools. */
  cells?: StageCells;
  /** Whether its coordinates mean something to people: those of a board do not. */
  hasPlaces?: boolean;
  /** Called once, with the view; what it returns is called at the end. */
  onReady(view: SlideView): void | (() => void);
  children?: ComponentChildren;
}

const STEP = 0.25;
/** The status of a slide whose file is not there; it may come back. */
const GONE = 410;

/** The view of a slide with its furniture: magnification, scale bar, coordinates, overview map. */
export function Stage({ picture, name, thumbnail, mapLayers = [], cells, hasPlaces = true, onReady, children }: Properties) {
  const element = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<SlideView | null>(null);
  const frame = useSignal<Frame | null>(null);
  const pointer = useSignal<Point | null>(null);
  const asksWhere = useSignal(false);
  const showsMap = useSignal(true);

  useEffect(() => {
    if (!element.current) return;
    const made = new SlideView(element.current, picture, whyNot);
    const leave = onReady(made);
    const unwatch = made.watch((now) => (frame.value = now));
    setView(made);
    return () => {
      unwatch();
      leave?.();
      made.destroy();
    };
  }, [picture]);

  const tools = useTools(hasPlaces ? view : null, cells, name);
  const asked = useMenu(hasPlaces ? view : null);
  useAddress(hasPlaces ? view : null, cells);
  const shoot = () => {
    if (view) snapshot(view).then((blob) => download(blob, `${name}.png`), sayError);
  };
  const askWhere = () => (asksWhere.value = true);
  const zoomTo = (step: 1 | -1) => {
    const now = view?.magnification;
    if (!view || !now) return view?.zoomBy(step > 0 ? 2 : 0.5);
    const wanted = step > 0 ? PRESETS.find((one) => one > now * 1.01) : [...PRESETS].reverse().find((one) => one < now * 0.99);
    if (wanted) view.setMagnification(wanted);
  };
  useCommands("View", [
    { keys: ["ArrowLeft"], title: "Pan left", run: () => view?.panBy(-STEP, 0), repeats: true },
    { keys: ["ArrowRight"], title: "Pan right", run: () => view?.panBy(STEP, 0), repeats: true },
    { keys: ["ArrowUp"], title: "Pan up", run: () => view?.panBy(0, -STEP), repeats: true },
    { keys: ["ArrowDown"], title: "Pan down", run: () => view?.panBy(0, STEP), repeats: true },
    { keys: ["+", "="], title: "Zoom in", run: () => view?.zoomBy(1.4), repeats: true },
    { keys: ["-"], title: "Zoom out", run: () => view?.zoomBy(1 / 1.4), repeats: true },
    { keys: ["]"], title: "Next higher magnification", run: () => zoomTo(1) },
    { keys: ["["], title: "Next lower magnification", run: () => zoomTo(-1) },
    { keys: ["0"], title: "Whole slide", run: () => view?.home() },
    { keys: ["."], title: "Rotate by 90° clockwise", run: () => view?.rotateBy(90) },
    { keys: [","], title: "Rotate by 90° anticlockwise", run: () => view?.rotateBy(-90) },
    ...(hasPlaces ? [{ keys: ["g"], title: "Go to coordinates", run: askWhere }] : []),
    ...(thumbnail ? [{ keys: ["m"], title: "Overview map on or off", run: () => (showsMap.value = !showsMap.value) }] : []),
    { keys: ["Shift+P"], title: "Save a snapshot", run: shoot },
  ]);

  return (
    <div class="stage">
      {tools.map((tool) => tool.isOn.value && tool.Dock && <tool.Dock key={tool.title} />)}
      <div class="glass">
        <div
          ref={element}
          class="slide"
          role="application"
          aria-label={`Slide ${name}`}
          onPointerMove={(event) => (pointer.value = pointOf(event, view))}
          onPointerLeave={() => (pointer.value = null)}
        />
        {view && frame.value && (
          <>
            <Folding label="View and tools" icon={Wrench} class="furniture">
              <Presets view={view} frame={frame.value} onSnapshot={shoot} {...(hasPlaces ? { onGoTo: askWhere } : {})} />
              {hasPlaces && <Rail tools={tools} />}
            </Folding>
            {hasPlaces && <Faces tools={tools} />}
            <LookNotice />
            {hasPlaces && <Corner frame={frame.value} mpp={picture.mpp} pointer={pointer.value} />}
          </>
        )}
        {view?.trouble.value && <TroubleNotice trouble={view.trouble.value} />}
        {children}
        {view && <Menu asked={asked} view={view} tools={tools} cells={cells} />}
      </div>
      {tools.map((tool) => tool.isOn.value && tool.Beside && <tool.Beside key={tool.title} />)}
      {view && frame.value && showsMap.value && thumbnail && (
        <div class="map-box">
          <MiniMap view={view} frame={frame.value} thumbnail={thumbnail} layers={mapLayers} />
        </div>
      )}
      {asksWhere.value && view && <GoTo view={view} onClose={() => (asksWhere.value = false)} />}
    </div>
  );
}

/** Ask once more for a part that could not be shown: the answer says why. */
async function whyNot(address: string): Promise<Trouble | null> {
  try {
    await get(address);
  } catch (error) {
    if (error instanceof Refusal) return { what: error.message, mend: error.mend, mayPass: error.status === GONE || !error.isFinal };
    if (error instanceof Away) return { what: error.message, mend: null, mayPass: true };
  }
  return null; // a picture came
}

/** Says why parts are blurred, for as long as they are. */
function TroubleNotice({ trouble }: { trouble: Trouble }) {
  return (
    <p class="trouble" role="alert">
      <b>{sentence(trouble.what)}</b> {trouble.mend && sentence(trouble.mend)}
      {trouble.mayPass && " What is blurred here has not come; it is asked for again by itself. Labels are kept."}
    </p>
  );
}

function pointOf(event: PointerEvent, view: SlideView | null): Point | null {
  if (!view?.isOpen) return null;
  const bounds = view.element.getBoundingClientRect();
  return view.frame.toSlide({ x: event.clientX - bounds.left, y: event.clientY - bounds.top });
}

function Presets({ view, frame, onSnapshot, onGoTo }: { view: SlideView; frame: Frame; onSnapshot(): void; onGoTo?(): void }) {
  const { mpp } = view.picture;
  const now = mpp === null ? null : magnificationOf(frame.scale, mpp);
  return (
    <div class="tools" role="toolbar" aria-label="View">
      <button type="button" class="plain" data-tip="Whole slide (0)" onClick={() => view.home()}>
        Fit
      </button>
      {mpp !== null &&
        PRESETS.map((preset) => (
          <button
            key={preset}
            type="button"
            class="plain"
            aria-pressed={now !== null && Math.abs(now - preset) < preset * 0.01}
            onClick={() => view.setMagnification(preset)}
          >
            {preset}×
          </button>
        ))}
      <span class="rule" />
      <button type="button" class="plain icon" data-tip="Rotate by 90° (.)" aria-label="Rotate by 90°" onClick={() => view.rotateBy(90)}>
        <Icon of={RotateCw} size={16} />
      </button>
      {onGoTo && (
        <button type="button" class="plain icon" data-tip="Go to coordinates (G)" aria-label="Go to" onClick={onGoTo}>
          <Icon of={LocateFixed} size={16} />
        </button>
      )}
      <button type="button" class="plain icon" data-tip="Save a snapshot (Shift P)" aria-label="Snapshot" onClick={onSnapshot}>
        <Icon of={Camera} size={16} />
      </button>
    </div>
  );
}

function Corner({ frame, mpp, pointer }: { frame: Frame; mpp: number | null; pointer: Point | null }) {
  const bar = mpp === null ? null : scaleBar(frame.scale, mpp, 130);
  const at = pointer ?? frame.centre;
  return (
    <div class="corner">
      {bar && (
        <div class="bar" style={{ width: `${bar.width}px` }}>
          {bar.label}
        </div>
      )}
      <span class="place">
        {mpp !== null && <b>{formatMagnification(magnificationOf(frame.scale, mpp))}</b>}
        <span title="Level-0 pixels">
          {Math.round(at.x)}, {Math.round(at.y)}
        </span>
        {frame.degrees % 360 !== 0 && <span>{((frame.degrees % 360) + 360) % 360}°</span>}
      </span>
    </div>
  );
}
