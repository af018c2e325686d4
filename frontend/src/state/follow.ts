import { Away } from "../api/errors";
import { get } from "../api/request";
import type { CellColumns, Round } from "../api/types";
import type { Work } from "./work";
import { sayError } from "./session";

const POLL_MS = 4000;

/** Keeps the cells of a slide as the server has them: loads all, then takes over every few seconds what others did. */
export class Follow {
  private version: number | null = null;
  private timer = 0;
  private isOver = false;
  private readonly path: string;

  constructor(
    private readonly work: Work,
    private readonly round: Round,
    slide: number,
    private readonly onLoaded: () => void = () => undefined,
  ) {
    this.path = `/api/rounds/${round.id}/slides/${slide}/cells`;
    void this.load();
  }

  /** A server that does not answer is asked until it does. */
  private async load(): Promise<void> {
    try {
      const columns = await get<CellColumns>(this.path);
      if (this.isOver) return;
      this.work.load(columns);
      this.version = columns.version;
      this.onLoaded();
      this.again();
    } catch (error) {
      if (this.isOver) return;
      sayError(error);
      if (error instanceof Away) this.timer = window.setTimeout(() => void this.load(), POLL_MS);
    }
  }

  /** Ask now, e.g. because something was refused that others have changed. */
  async refresh(): Promise<void> {
    window.clearTimeout(this.timer);
    if (this.isOver || this.version === null) return;
    try {
      const columns = await get<CellColumns>(`${this.path}?since=${this.version}`);
      if (this.isOver) return;
      if (columns.cell.length > 0 || columns.deleted?.length) this.work.merge(columns);
      this.version = columns.version;
    } finally {
      this.again();
    }
  }

  stop(): void {
    this.isOver = true;
    window.clearTimeout(this.timer);
  }

  /** Blinded rounds show nothing of others: there is nothing to ask for. */
  private again(): void {
    window.clearTimeout(this.timer);
    if (this.isOver || this.round.is_blinded) return;
    // A server that is away is told of by what cannot be sent; asking goes on.
    this.timer = window.setTimeout(() => void this.refresh().catch(() => undefined), POLL_MS);
  }
}
