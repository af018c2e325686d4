import { signal } from "@preact/signals";
import { Refusal } from "../api/errors";
import { ask, get } from "../api/request";
import type { ClassLabel, Me, Round, Slide } from "../api/types";
import { newKey } from "../outbox/key";
import { Outbox } from "../outbox/outbox";
import { Shelf } from "../outbox/shelf";
import { say } from "../ui/toast";

/** Who I am and what there is; null until the server has said so. */
export const me = signal<Me | null>(null);
/** Why there is nothing to see yet. */
export const obstacle = signal<Error | null>(null);

let outbox: Outbox | null = null;

export async function enter(): Promise<void> {
  try {
    const found = await get<Me>("/api/me");
    if (!outbox) outbox = new Outbox(await Shelf.open(), `${found.study.uuid}/${found.rater.id}`, sayRefused);
    me.value = found;
    obstacle.value = null;
  } catch (error) {
    obstacle.value = error instanceof Error ? error : new Error(String(error));
  }
}

function sayRefused(action: { title: string }, refusal: Refusal): void {
  say(`“${action.title}” of another tab or an earlier visit was refused: ${refusal.message}`, { kind: "warning", mend: refusal.mend });
}

export function theOutbox(): Outbox {
  if (!outbox) throw new Error("nobody has entered");
  return outbox;
}

/** Write something that is answered here and now, e.g. by the lead of a study; said aloud where it fails. */
export async function write<T>(method: "POST" | "PUT" | "DELETE", path: string, body: object = {}): Promise<T | null> {
  return await answered(ask<T>(method, path, { ...body, key: newKey() }));
}

/** Keep a change until the server has it, also where it is away or the page is closed; null where it is refused. */
export async function keep<T>(method: "POST" | "PUT" | "DELETE", path: string, body: object, title: string): Promise<T | null> {
  return await answered(theOutbox().send<T>({ method, path, body: { ...body }, title }));
}

async function answered<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    sayError(error);
    return null;
  }
}

export function sayError(error: unknown): void {
  if (error instanceof Refusal) say(error.message, { kind: "warning", mend: error.mend });
  else if (error instanceof Error) say(error.message, { kind: "warning" });
  else throw error;
}

export function roundOf(id: number): Round | undefined {
  return me.value?.rounds.find((round) => round.id === id);
}

export function slideOf(id: number): Slide | undefined {
  return me.value?.slides.find((slide) => slide.id === id);
}

/** The classes of the study, in its order. */
export function studyLabels(): readonly ClassLabel[] {
  return me.value?.labels ?? [];
}

export function labelName(id: number | null): string {
  return me.value?.labels.find((label) => label.id === id)?.name ?? "unknown";
}

export function isLead(): boolean {
  return me.value?.rater.role === "lead";
}
