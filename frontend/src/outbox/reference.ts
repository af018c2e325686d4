/** Stands in a body for something that only the answer to an earlier action tells, e.g. the id of a new cell. */
export interface Reference {
  readonly $answerTo: string;
  readonly field: string;
}

export function answerTo(key: string, field: string): Reference {
  return { $answerTo: key, field };
}

function isReference(value: unknown): value is Reference {
  return typeof value === "object" && value !== null && "$answerTo" in value;
}

/** An earlier action came to nothing, and with it one that refers to it. */
export class BrokenReference extends Error {}

/** Return a body with all references replaced by what the answers say. */
export async function resolve(body: unknown, answer: (key: string) => Promise<unknown>): Promise<unknown> {
  if (isReference(body)) {
    const found = (await answer(body.$answerTo)) as Record<string, unknown> | undefined;
    if (!found || !(body.field in found)) throw new BrokenReference();
    return found[body.field];
  }
  if (Array.isArray(body)) return await Promise.all(body.map((part) => resolve(part, answer)));
  if (typeof body !== "object" || body === null) return body;
  const parts = Object.entries(body).map(async ([name, part]) => [name, await resolve(part, answer)] as const);
  return Object.fromEntries(await Promise.all(parts));
}
