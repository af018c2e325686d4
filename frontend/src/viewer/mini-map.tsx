import { useEffect, useRef, useState } from "preact/hooks";
import { INK, PAPER, SLIDE_GROUND } from "./colours";
import type { Frame } from "./frame";
import type { SlideView } from "./slide-view";

/** Something drawn on the overview; `scale` is map pixels for one level-0 pixel. */
export interface MiniMapLayer {
  draw(context: CanvasRenderingContext2D, scale: number): void;
}

/** CSS pixels at most; on a wall of pixels (see base.css) the map is larger. */
const SIZE = { width: 224, height: 150 };
const LARGE_SIZE = { width: 380, height: 228 };
const LARGE = matchMedia("(min-width: 2560px)");

interface Properties {
  view: SlideView;
  frame: Frame;
  thumbnail: string;
  layers: readonly MiniMapLayer[];
}

/** The whole slide, small, with what is in view; click or drag to go there. */
export function MiniMap({ view, frame, thumbnail, layers }: Properties) {
  const { width, height } = view.picture;
  const most = LARGE.matches ? LARGE_SIZE : SIZE;
  const scale = Math.min(most.width / width, most.height / height);
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = useThumbnail(thumbnail);
  useEffect(() => {
    if (canvas.current) draw(canvas.current, frame, picture, scale, layers);
  });
  const go = (event: PointerEvent) => {
    if (event.buttons !== 1 || !canvas.current) return;
    const bounds = canvas.current.getBoundingClientRect();
    view.goTo({ x: (event.clientX - bounds.left) / scale, y: (event.clientY - bounds.top) / scale });
  };
  const density = window.devicePixelRatio || 1;
  return (
    <canvas
      ref={canvas}
      class="map"
      role="img"
      aria-label="Overview of the slide with what is in view"
      width={Math.round(width * scale * density)}
      height={Math.round(height * scale * density)}
      style={{ width: `${width * scale}px`, height: `${height * scale}px` }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={go}
    />
  );
}

function useThumbnail(address: string): HTMLImageElement | null {
  const [picture, setPicture] = useState<HTMLImageElement | null>(null);
  useEffect(() => {
    const image = new Image();
    image.onload = () => setPicture(image);
    image.src = address;
    return () => {
      image.onload = null;
    };
  }, [address]);
  return picture;
}

function draw(canvas: HTMLCanvasElement, frame: Frame, picture: HTMLImageElement | null, scale: number, layers: readonly MiniMapLayer[]): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const density = window.devicePixelRatio || 1;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.fillStyle = SLIDE_GROUND;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, 0, 0, canvas.width / density, canvas.height / density);
  for (const layer of layers) layer.draw(context, scale);
  drawView(context, frame, scale);
}

function drawView(context: CanvasRenderingContext2D, frame: Frame, scale: number): void {
  const corners = [
    [0, 0],
    [frame.width, 0],
    [frame.width, frame.height],
    [0, frame.height],
  ] as const;
  context.beginPath();
  for (const [x, y] of corners) {
    const at = frame.toSlide({ x, y });
    context.lineTo(at.x * scale, at.y * scale);
  }
  context.closePath();
  context.strokeStyle = PAPER;
  context.lineWidth = 4;
  context.stroke();
  context.strokeStyle = INK;
  context.lineWidth = 2;
  context.stroke();
}
