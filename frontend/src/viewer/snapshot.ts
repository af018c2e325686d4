import { FONT } from "./caption";
import { faint, INK, PAPER } from "./colours";
import { filterOf, look } from "./look";
import { scaleBar } from "./scale-bar";
import type { SlideView } from "./slide-view";

/** What is in view as a PNG: tiles, marks and a scale bar. */
export async function snapshot(view: SlideView): Promise<Blob> {
  const { frame, picture, canvas, tiles } = view;
  const target = document.createElement("canvas");
  target.width = canvas.width;
  target.height = canvas.height;
  const context = target.getContext("2d");
  if (!context) throw new Error("the browser gives no canvas");
  context.fillStyle = PAPER;
  context.fillRect(0, 0, target.width, target.height);
  context.filter = filterOf(look.value) || "none";
  context.drawImage(tiles, 0, 0, target.width, target.height);
  context.filter = "none";
  context.drawImage(canvas, 0, 0);
  if (picture.mpp !== null) drawScaleBar(context, frame.scale, picture.mpp, target);
  return await new Promise((resolve, reject) => {
    target.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is empty"))), "image/png");
  });
}

function drawScaleBar(context: CanvasRenderingContext2D, scale: number, mpp: number, { height }: { height: number }): void {
  const density = window.devicePixelRatio || 1;
  context.scale(density, density);
  const bar = scaleBar(scale, mpp, 160);
  const bottom = height / density - 18;
  context.fillStyle = faint(PAPER, 0.88);
  context.fillRect(12, bottom - 26, bar.width + 16, 36);
  context.fillStyle = INK;
  context.fillRect(20, bottom, bar.width, 4);
  context.font = FONT;
  context.textAlign = "center";
  context.fillText(bar.label, 20 + bar.width / 2, bottom - 8);
}

/** Hand a file to the person, as a download. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
