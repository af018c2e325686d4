import { effect, type ReadonlySignal } from "@preact/signals";
import OpenSeadragon from "openseadragon";
import { Arrivals, type Trouble, type WhyNot } from "./arrivals";
import { SLIDE_GROUND } from "./colours";
import { Frame, type Box, type Point } from "./frame";
import { centring, framing, reach } from "./framing";
import { declineInlineStyle } from "./inline-style";
import type { Layer } from "./layer";
import { filterOf, look } from "./look";
import { leastScale, magnificationOf, scaleOf } from "./magnification";
import type { Resolution } from "./resolution";
import type { Pointer, Tool } from "./tool";

/** What the view needs to know of a slide (or of a board, which is a picture like it). */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** µm per level-0 pixel; null for a picture that has none. */
  readonly mpp: number | null;
  /** The same along x and y, for what is measured. */
  readonly resolution?: Resolution | null;
  readonly tileSize: number;
  /** The level of full size; level k is halved `maxLevel - k` times. */
  readonly maxLevel: number;
  readonly minLevel?: number;
  tileUrl(level: number, column: number, row: number): string;
}

const OPTIONS = {
  drawer: "canvas",
  showNavigationControl: false,
  keyboardNavEnabled: false,
  animationTime: 0.22,
  springStiffness: 9,
  blendTime: 0,
  imageLoaderLimit: 6,
  maxImageCacheCount: 600,
  maxZoomPixelRatio: 6,
  minZoomImageRatio: 0.1,
  visibilityRatio: 0.2,
  preserveImageSizeOnResize: true,
  timeout: 60_000,
  tileRetryMax: 0, // asked for again below, for as long as it takes
  placeholderFillStyle: SLIDE_GROUND,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
  gestureSettingsPen: { clickToZoom: false, dblClickToZoom: false },
  gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false, flickEnabled: true },
} satisfies OpenSeadragon.Options;

/** CSS pixels at the edges of the view that its furniture covers: what is brought into view lies between them. */
const COVERED = { top: 78, right: 10, bottom: 52, left: 10 };

/** A slide in deep zoom, with layers drawn over it and a tool that takes clicks and drags. */
export class SlideView {
  readonly canvas = document.createElement("canvas");
  /** Of the work on the slide. */
  tool: Tool | null = null;
  /** Has the pointer for as long as somebody looks at something else, e.g. measures. */
  private borrower: Tool | null = null;
  private readonly viewer: OpenSeadragon.Viewer;
  private readonly layers: Layer[] = [];
  private readonly watchers = new Set<(frame: Frame) => void>();
  /** A link has said what is in view; what the page would show by itself waits until the person moves. */
  private isHeld = false;
  private readonly unlook: () => void;
  private readonly arrivals: Arrivals;
  private captured = false;
  /** Two fingers were on the slide since the first touched it: what ends so is no tap. */
  private isPinched = false;
  private scheduled = 0;

  constructor(
    readonly element: HTMLElement,
    readonly picture: Picture,
    whyNot: WhyNot = () => Promise.resolve(null),
  ) {
    declineInlineStyle();
    this.viewer = OpenSeadragon({
      ...OPTIONS,
      element,
      tileSources: {
        width: picture.width,
        height: picture.height,
        tileSize: picture.tileSize,
        tileOverlap: 0,
        minLevel: picture.minLevel ?? 0,
        maxLevel: picture.maxLevel,
        getTileUrl: picture.tileUrl.bind(picture),
      },
    });
    this.arrivals = new Arrivals(this.viewer, picture, whyNot);
    this.canvas.className = "marks";
    this.viewer.canvas.append(this.canvas);
    this.viewer.canvas.removeAttribute("tabindex");
    this.unlook = effect(() => {
      this.tiles.style.filter = filterOf(look.value);
    });
    this.listen();
  }

  destroy(): void {
    this.unlook();
    for (const kind of ["pointerdown", "keydown", "wheel"] as const) window.removeEventListener(kind, this.letGo, true);
    cancelAnimationFrame(this.scheduled);
    this.arrivals.stop();
    this.watchers.clear();
    this.viewer.destroy();
  }

  /** Called with the frame whenever it has changed, and once the slide is there. */
  watch(watcher: (frame: Frame) => void): () => void {
    this.watchers.add(watcher);
    if (this.isOpen) watcher(this.frame);
    return () => this.watchers.delete(watcher);
  }

  addLayer(layer: Layer, { isBelow = false } = {}): () => void {
    if (isBelow) this.layers.unshift(layer);
    else this.layers.push(layer);
    this.redraw();
    return () => {
      this.layers.splice(this.layers.indexOf(layer), 1);
      this.redraw();
    };
  }

  /** Give clicks and drags to another tool for a while; what is returned gives them back. */
  borrow(tool: Tool): () => void {
    this.borrower = tool;
    return () => {
      if (this.borrower === tool) this.borrower = null;
      this.element.style.cursor = "";
    };
  }

  private get hand(): Tool | null {
    return this.borrower ?? this.tool;
  }

  /** Draw the layers again with the next frame of the screen; tiles stay as they are. */
  redraw(): void {
    this.scheduled ||= requestAnimationFrame(() => this.drawLayers());
  }

  get isOpen(): boolean {
    return this.viewer.isOpen();
  }

  get frame(): Frame {
    return this.frameOf(true);
  }

  /** The frame that the view comes to rest at. */
  get goal(): Frame {
    return this.frameOf(false);
  }

  /** Whether the pixels of a place are there, as sharp as the view can show them. */
  isSharp(at: Point): boolean {
    return this.arrivals.isSharp(at, this.frame.scale);
  }

  /** Why parts are blurred and stay so for now. */
  get trouble(): ReadonlySignal<Trouble | null> {
    return this.arrivals.trouble;
  }

  /** Whether the view is so small that a mitotic figure cannot be told from a look-alike. */
  get isTooSmallToLabel(): boolean {
    return this.frame.scale < leastScale(this.picture.mpp);
  }

  get magnification(): number | null {
    return this.picture.mpp === null ? null : magnificationOf(this.frame.scale, this.picture.mpp);
  }

  private frameOf(current: boolean): Frame {
    const { viewport } = this.viewer;
    const size = viewport.getContainerSize();
    const centre = viewport.getCenter(current);
    const { width } = this.picture;
    const scale = (viewport.getZoom(current) * size.x) / width;
    return new Frame({ x: centre.x * width, y: centre.y * width }, scale, viewport.getRotation(current), size.x, size.y);
  }

  /** Act now, or once the picture is there. */
  whenOpen(act: () => void): void {
    if (this.isOpen) act();
    else this.viewer.addOnceHandler("open", act);
  }

  /** Show a place that a link names, until the person does something. */
  hold(at: Point, { degrees = 0, ...goal }: Goal & { degrees?: number }): void {
    this.isHeld = false;
    this.whenOpen(() => {
      if (degrees !== this.viewer.viewport.getRotation(false)) this.rotateTo(degrees, true);
      this.goTo(at, { ...goal, now: true });
      this.isHeld = true;
      for (const kind of ["pointerdown", "keydown", "wheel"] as const) window.addEventListener(kind, this.letGo, { capture: true, once: true });
    });
  }

  private readonly letGo = (): void => {
    this.isHeld = false;
  };

  /** Bring a level-0 pixel into the middle; `magnification` or `scale` as well where given. */
  goTo(at: Point, { magnification, scale, now = false }: Goal = {}): void {
    this.whenOpen(() => {
      if (this.isHeld) return;
      const { width, mpp } = this.picture;
      const { viewport } = this.viewer;
      const wanted = scale ?? (magnification && mpp ? scaleOf(magnification, mpp) : undefined);
      if (wanted !== undefined) viewport.zoomTo((wanted * width) / viewport.getContainerSize().x, undefined, now);
      viewport.panTo(new OpenSeadragon.Point(at.x / width, at.y / width), now);
      viewport.applyConstraints(now);
    });
  }

  /** Bring a box into view, clear of what lies over the view's edges. */
  fit(box: Box, now = false): void {
    this.whenOpen(() => {
      const { centre, scale } = framing(box, this.frameOf(false), COVERED);
      this.goTo(centre, { scale, now });
    });
  }

  /** Bring the middle of a box into the middle of the view, at a scale in CSS pixels for one level-0 pixel. */
  centreOn(box: Box, scale: number): void {
    this.whenOpen(() => this.goTo(centring(box, this.goal, COVERED, scale), { scale }));
  }

  /** Width and height in level-0 pixels of what can be seen at once at a scale. */
  reach(scale: number): { width: number; height: number } {
    return reach(this.goal, COVERED, scale);
  }

  home(now = false): void {
    this.fit({ x: 0, y: 0, width: this.picture.width, height: this.picture.height }, now);
  }

  setMagnification(magnification: number): void {
    this.goTo(this.frameOf(false).centre, { magnification });
  }

  zoomBy(factor: number): void {
    this.viewer.viewport.zoomBy(factor).applyConstraints();
  }

  /** Pan by parts of the view, in the directions of the screen. */
  panBy(right: number, down: number): void {
    const frame = this.frameOf(false);
    this.goTo(frame.toSlide({ x: frame.width * (0.5 + right), y: frame.height * (0.5 + down) }));
  }

  rotateBy(degrees: number): void {
    this.rotateTo(this.viewer.viewport.getRotation(false) + degrees);
  }

  rotateTo(degrees: number, now = false): void {
    this.viewer.viewport.setRotation(degrees, now);
  }

  /** The canvas with the tiles, for a snapshot. */
  get tiles(): HTMLCanvasElement {
    return this.viewer.drawer.canvas;
  }

  private listen(): void {
    const { viewer } = this;
    viewer.addHandler("open", () => {
      this.home(true);
      this.moved();
    });
    viewer.addHandler("update-viewport", () => this.moved());
    viewer.addHandler("resize", () => this.redraw());
    viewer.addHandler("canvas-press", (event) => {
      // The slide takes no focus: a button that has it would take the next Enter or Space.
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      this.captured = this.hand?.press?.(this.pointer(event)) ?? false;
    });
    viewer.addHandler("canvas-drag", (event) => {
      if (!this.captured) return;
      event.preventDefaultAction = true;
      this.hand?.drag?.(this.pointer(event));
    });
    viewer.addHandler("canvas-release", (event) => {
      if (this.captured) this.hand?.release?.(this.pointer(event));
      this.captured = false;
    });
    viewer.addHandler("canvas-click", (event) => {
      if (event.quick && !this.isPinched) this.hand?.click?.(this.pointer(event));
    });
    viewer.addHandler("canvas-double-click", (event) => this.hand?.doubleClick?.(this.pointer(event)));
    viewer.addHandler("canvas-pinch", () => (this.isPinched = true));
    this.element.addEventListener("pointerdown", (event) => event.isPrimary && (this.isPinched = false), true);
    this.element.addEventListener("pointermove", (event) => this.hover(event));
  }

  /** Where an event of the mouse, a finger or a pen is. */
  pointerAt(event: MouseEvent): Pointer {
    const bounds = this.element.getBoundingClientRect();
    const screen = { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
    return { screen, slide: this.frame.toSlide(screen), shift: event.shiftKey, alt: event.altKey };
  }

  private hover(event: PointerEvent): void {
    if (!this.isOpen || this.captured) return;
    const at = this.pointerAt(event);
    this.hand?.hover?.(at);
    this.element.style.cursor = this.hand?.cursor?.(at) ?? "";
  }

  private pointer(event: { position: OpenSeadragon.Point; originalEvent: Event }): Pointer {
    const original = event.originalEvent as PointerEvent;
    const screen = { x: event.position.x, y: event.position.y };
    return { screen, slide: this.frame.toSlide(screen), shift: original.shiftKey, alt: original.altKey };
  }

  private moved(): void {
    if (!this.isOpen) return;
    this.drawLayers();
    const { frame } = this;
    for (const watcher of this.watchers) watcher(frame);
  }

  private drawLayers(): void {
    this.scheduled = 0;
    if (!this.isOpen) return;
    const { frame, canvas } = this;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(frame.width * density), Math.round(frame.height * density)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    for (const layer of this.layers) {
      context.save();
      context.setTransform(density, 0, 0, density, 0, 0);
      layer.draw(context, frame);
      context.restore();
    }
  }
}

interface Goal {
  magnification?: number;
  /** CSS pixels for one level-0 pixel. */
  scale?: number;
  now?: boolean;
}
