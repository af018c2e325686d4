/** The server said no: what, and the mend where there is one. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    /** One of the server's error codes, e.g. `conflict`. */
    readonly code: string,
    message: string,
    readonly mend: string | null,
    /** What else the server told, e.g. the present state of a cell. */
    readonly details: unknown,
  ) {
    super(message);
  }

  /** The action itself is refused; anything else may pass, and the action is kept. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && ![401, 408, 425, 429].includes(this.status);
  }

  get isConflict(): boolean {
    return this.status === 409;
  }
}

/** No answer came: the server is stopped, or the network is. */
export class Away extends Error {
  constructor() {
    super("The server does not answer.");
  }
}
