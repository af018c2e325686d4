import { useEffect, useRef } from "preact/hooks";
import { shapeOf, trace } from "../viewer/glyphs";

/** The mark of a class, as on the slide. */
export function Glyph({ order, colour }: { order: number; colour: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.setTransform(2, 0, 0, 2, 0, 0);
    context.clearRect(0, 0, 18, 18);
    context.beginPath();
    trace(context, shapeOf(order), 9, 9, 5.5);
    context.lineWidth = 2.2;
    context.strokeStyle = colour;
    context.stroke();
  }, [order, colour]);
  return <canvas ref={canvas} class="glyph" width={36} height={36} aria-hidden="true" />;
}
