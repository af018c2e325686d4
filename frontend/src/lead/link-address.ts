import type { People } from "../api/types";

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Where others open a link: as stated, else where I came by, unless only this machine can; null where nobody else can. */
export function linkAddress(origin: string, { address, addresses }: Pick<People, "address" | "addresses">): string | null {
  if (address !== null) return address;
  return LOOPBACK.test(new URL(origin).hostname) ? (addresses[0] ?? null) : origin;
}
