import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** Something that a key does; shown in the help, and as the title of its button. */
export interface Command {
  /** As in `keyOf`: "n", "Shift+N", "Ctrl+Z", "ArrowLeft", "?". The first is shown first. */
  readonly keys: readonly string[];
  readonly title: string;
  run(): void;
  /** Also while a key is held down. */
  readonly repeats?: boolean;
  /** Also while something is written into a field. */
  readonly whileTyping?: boolean;
}

export interface Group {
  readonly name: string;
  readonly commands: readonly Command[];
}

/** What the keys do at the moment; the last group wins. */
export const groups = signal<readonly Group[]>([]);

/** Have the keys do something for as long as a component is there. */
export function useCommands(name: string, commands: readonly Command[]): void {
  const live = useRef(commands);
  live.current = commands;
  useEffect(() => {
    const group: Group = {
      name,
      get commands() {
        return live.current;
      },
    };
    groups.value = [...groups.value, group];
    return () => {
      groups.value = groups.value.filter((other) => other !== group);
    };
  }, [name]);
}

/** The name of a key with its modifiers. Cmd of a Mac counts as Ctrl; Shift is named only for letters and named keys. */
export function keyOf(event: KeyboardEvent): string {
  const { key } = event;
  const isSign = key.length === 1 && key.toLowerCase() === key.toUpperCase();
  const name = key.length === 1 ? (event.shiftKey || event.ctrlKey || event.metaKey ? key.toUpperCase() : key) : key;
  const shift = event.shiftKey && !isSign ? "Shift+" : "";
  const control = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  return `${control}${event.altKey ? "Alt+" : ""}${shift}${name === " " ? "Space" : name}`;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "range", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Buttons and the like keep the keys by which they are used. */
function isOwnKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement && target.type === "range") return key.startsWith("Arrow");
  const presses = target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
  return (presses || target instanceof HTMLInputElement) && (key === "Enter" || key === "Space");
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const key = keyOf(event);
  if (isOwnKey(event.target, key) || document.querySelector("dialog[open]")) return;
  const command = find(key);
  if (!command || (isTyping(event.target) && !command.whileTyping) || (event.repeat && !command.repeats)) return;
  event.preventDefault();
  command.run();
}

function find(key: string): Command | undefined {
  for (const group of [...groups.value].reverse()) {
    const command = group.commands.find((one) => one.keys.includes(key));
    if (command) return command;
  }
  return undefined;
}

/** What can be done by keys at the moment, the innermost place first; what another place has taken the key of is left out. */
export function commandsNow(): { group: string; command: Command }[] {
  return [...groups.value]
    .reverse()
    .flatMap(({ name, commands }) =>
      commands.filter((command) => command.keys.some((key) => find(key) === command)).map((command) => ({ group: name, command })),
    );
}

export function listenToKeys(): void {
  window.addEventListener("keydown", onKeyDown);
}

const SIGNS: Record<string, string> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
  Backspace: "⌫",
  PageUp: "PgUp",
  PageDown: "PgDn",
};

/** The caps of a key, for display. */
export function capsOf(key: string): string[] {
  if (key === "+") return ["+"];
  return key.split("+").map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part));
}
