import { signal } from "@preact/signals";
import { Link } from "lucide";
import { useEffect } from "preact/hooks";
import { Refusal } from "../api/errors";
import { get } from "../api/request";
import type { CellRecord } from "../api/types";
import { aimOf, routeToCell, routeToView, slidePart, type Aim } from "../state/aim";
import { route } from "../state/route";
import { sayError } from "../state/session";
import { say } from "../ui/toast";
import type { Frame } from "../viewer/frame";
import type { SlideView } from "../viewer/slide-view";
import type { StageCells } from "./stage-cells";
import type { StageTool } from "./stage-tool";

/** So long the view rests before the address says where it is. */
const REST_MS = 500;

/** Go where the address says, and have it say where the view is, so that going back comes back to the same place. */
export function useAddress(view: SlideView | null, cells: StageCells | undefined): void {
  const now = route.value;
  useEffect(() => {
    const aim = view && aimOf(now);
    if (view && aim) void take(view, cells, now, aim);
  }, [view, now]);
  useEffect(() => {
    const slide = slidePart(route.peek());
    if (!view || !slide) return;
    const base = `#/${slide.join("/")}`;
    let timer = 0;
    const tell = (frame: Frame) => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => {
        const isHere = location.hash === base || location.hash.startsWith(`${base}/`);
        if (isHere) history.replaceState(history.state, "", `#${routeToView(slide, aimed(frame))}`);
      }, REST_MS);
    };
    const unwatch = view.watch(tell);
    return () => {
      unwatch();
      window.clearTimeout(timer);
    };
  }, [view]);
}

function aimed({ centre, scale, degrees }: Frame) {
  return { x: centre.x, y: centre.y, scale, degrees };
}

async function take(view: SlideView, cells: StageCells | undefined, where: readonly string[], aim: Aim): Promise<void> {
  if ("view" in aim) {
    const { x, y, scale, degrees } = aim.view;
    view.hold({ x, y }, { scale, degrees });
    return;
  }
  if (where[0] !== "round") return;
  try {
    const cell = await get<CellRecord>(`/api/rounds/${where[1]}/cells/${aim.cell}`);
    if (cell.is_deleted) return say("The cell of this link was deleted.", { kind: "warning" });
    view.hold(cell, { magnification: 40 });
    cells?.select(cells.work.localId(aim.cell));
  } catch (error) {
    if (!(error instanceof Refusal)) return sayError(error);
    say("The cell of this link is not there, or you may not see it in this round.", { kind: "warning", mend: error.mend });
  }
}

/** The address of the selected cell, or else of the view. */
export function linkNow(view: SlideView, cells: StageCells | undefined): { address: string; what: string } | null {
  const slide = slidePart(route.peek());
  if (!slide) return null;
  const page = location.href.split("#")[0];
  const cell = cells?.selected.value ?? null;
  if (cell !== null && slide[0] === "round" && cells) {
    const known = cells.work.serverId(cell);
    if (known !== null) return { address: `${page}#${routeToCell(slide, known)}`, what: "the selected cell" };
  }
  return { address: `${page}#${routeToView(slide, aimed(view.frame))}`, what: "this view" };
}

/** Copies a link that opens for whoever may see it. */
export function linkTool(view: SlideView, cells: StageCells | undefined): StageTool {
  const act = () => {
    const link = linkNow(view, cells);
    if (!link) return say("Here is no slide of its own to link to.");
    copy(link.address).then(
      () => say(`Link to ${link.what} copied; it opens for who may see it.`),
      () => say(link.address, { kind: "warning", mend: "This browser copies nothing by itself: copy it from here." }),
    );
  };
  return { title: "Copy a link", icon: Link, key: "Shift+K", isOn: signal(false), act };
}

/** Plain HTTP to another host has no clipboard; the old way does there. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return await navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  if (!isDone) throw new Error("not copied");
}
