import type { Box, Frame } from "../viewer/frame";
import type { Pointer, Tool } from "../viewer/tool";

/** CSS pixels beside its edge at which a window that is larger than the view is gripped. */
const EDGE = 10;

/** Moves a window of fixed size over the slide by dragging it; by its edge where it is larger than the view, so that drags inside pan. */
export class WindowTool implements Tool {
  private grip: { x: number; y: number } | null = null;

  constructor(
    private readonly window: () => Box | null,
    private readonly frame: () => Frame,
    private readonly size: { width: number; height: number },
    private readonly onMove: (at: { x: number; y: number }) => void,
    /** Of clicks that do not drag, and of drags that begin elsewhere. */
    private readonly inner: Tool | null = null,
    private readonly onEnd: () => void = () => undefined,
  ) {}

  private holds({ slide }: Pointer): Box | null {
    const box = this.window();
    if (!box) return null;
    const { scale, width, height } = this.frame();
    const inside = Math.min(slide.x - box.x, box.x + box.width - slide.x, slide.y - box.y, box.y + box.height - slide.y) * scale;
    const isLarger = box.width * scale > width || box.height * scale > height;
    return (isLarger ? Math.abs(inside) <= EDGE : inside >= 0) ? box : null;
  }

  press(pointer: Pointer): boolean {
    const box = this.holds(pointer);
    if (!box) return this.inner?.press?.(pointer) ?? false;
    this.grip = { x: pointer.slide.x - box.x, y: pointer.slide.y - box.y };
    return true;
  }

  drag(pointer: Pointer): void {
    const box = this.window();
    if (!this.grip || !box) return this.inner?.drag?.(pointer);
    const x = Math.min(Math.max(pointer.slide.x - this.grip.x, 0), Math.max(this.size.width - box.width, 0));
    const y = Math.min(Math.max(pointer.slide.y - this.grip.y, 0), Math.max(this.size.height - box.height, 0));
    this.onMove({ x: Math.round(x), y: Math.round(y) });
  }

  release(pointer: Pointer): void {
    if (this.grip) this.onEnd();
    else this.inner?.release?.(pointer);
    this.grip = null;
  }

  click(pointer: Pointer): void {
    this.inner?.click?.(pointer);
  }

  cursor(pointer: Pointer): string {
    return this.inner?.cursor?.(pointer) || (this.holds(pointer) ? "move" : "");
  }
}
