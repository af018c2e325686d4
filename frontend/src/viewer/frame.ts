/** A rectangle in level-0 pixels of the slide. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A point: level-0 pixels (px0) or CSS pixels of the view, as the name says. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The map between level-0 pixels of the slide and CSS pixels of the view, at one moment. */
export class Frame {
  private readonly cos: number;
  private readonly sin: number;

  constructor(
    /** Level-0 pixel in the middle of the view. */
    readonly centre: Point,
    /** CSS pixels for one level-0 pixel. */
    readonly scale: number,
    /** Clockwise, in degrees. */
    readonly degrees: number,
    /** Of the view, in CSS pixels. */
    readonly width: number,
    readonly height: number,
  ) {
    const turn = (degrees * Math.PI) / 180;
    this.cos = Math.cos(turn) * scale;
    this.sin = Math.sin(turn) * scale;
  }

  screenX(x: number, y: number): number {
    return this.width / 2 + (x - this.centre.x) * this.cos - (y - this.centre.y) * this.sin;
  }

  screenY(x: number, y: number): number {
    return this.height / 2 + (x - this.centre.x) * this.sin + (y - this.centre.y) * this.cos;
  }

  toScreen(at: Point): Point {
    return { x: this.screenX(at.x, at.y), y: this.screenY(at.x, at.y) };
  }

  toSlide(at: Point): Point {
    const dx = at.x - this.width / 2;
    const dy = at.y - this.height / 2;
    const square = this.scale * this.scale;
    return {
      x: this.centre.x + (dx * this.cos + dy * this.sin) / square,
      y: this.centre.y + (dy * this.cos - dx * this.sin) / square,
    };
  }

  /** The upright box around all that is in view, in level-0 pixels. */
  visible(): Box {
    const corners = [
      this.toSlide({ x: 0, y: 0 }),
      this.toSlide({ x: this.width, y: 0 }),
      this.toSlide({ x: 0, y: this.height }),
      this.toSlide({ x: this.width, y: this.height }),
    ];
    const xs = corners.map((corner) => corner.x);
    const ys = corners.map((corner) => corner.y);
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
  }

  /** Make the units of a canvas level-0 pixels; lines need a width of `1 / scale` then. */
  apply(context: CanvasRenderingContext2D, density: number): void {
    const [cos, sin] = [this.cos * density, this.sin * density];
    const x = (this.width / 2) * density - this.centre.x * cos + this.centre.y * sin;
    const y = (this.height / 2) * density - this.centre.x * sin - this.centre.y * cos;
    context.setTransform(cos, sin, -sin, cos, x, y);
  }
}
