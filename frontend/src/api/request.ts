import { Away, Refusal } from "./errors";

const PATIENCE_MS = 30_000;

/** Ask the server; JSON in, JSON out. Raises `Refusal` or `Away`. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await reach(method, path, body);
  if (!response.ok) throw await refusal(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export function get<T>(path: string): Promise<T> {
  return ask<T>("GET", path);
}

/** Send bytes. Raises `Refusal` or `Away`. */
export async function put<T>(path: string, body: Blob, signal: AbortSignal): Promise<T> {
  const response = await reach("PUT", path, body, signal);
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

async function reach(method: string, path: string, body: unknown, signal = AbortSignal.timeout(PATIENCE_MS)): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const init: RequestInit = { method, signal, headers };
  if (body instanceof Blob) {
    init.body = body;
    headers["Content-Type"] = "application/octet-stream";
  } else if (body !== undefined) {
    init.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  try {
    return await fetch(path, init);
  } catch {
    throw new Away();
  }
}

async function refusal(response: Response): Promise<Refusal> {
  const said = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  const text = (name: string): string | null => (typeof said?.[name] === "string" ? said[name] : null);
  const message = text("error") ?? text("detail") ?? `The server answered ${response.status}.`;
  return new Refusal(response.status, text("code") ?? "", message, text("mend"), said);
}
