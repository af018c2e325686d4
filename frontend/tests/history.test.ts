import { beforeEach, describe, expect, it } from "vitest";

import { History } from "../src/state/history";
import { toasts } from "../src/ui/toast";

function said(): string | undefined {
  return toasts.value.at(-1)?.text;
}

describe("what was done, and is taken back", () => {
  let text = "";
  const history = () => {
    text = "";
    const made = new History();
    const write = (letter: string) => {
      const before = text;
      text += letter;
      made.did({ title: `Letter ${letter}`, of: letter, undo: () => void (text = before), redo: () => void (text = before + letter) });
    };
    return { made, write };
  };
  beforeEach(() => (toasts.value = []));

  it("takes back the last first, does it again, and says what", () => {
    const { made, write } = history();
    write("a");
    write("b");
    made.undo();
    expect(text).toBe("a");
    expect(said()).toBe("Undone: Letter b.");
    made.undo();
    expect([text, made.canUndo.value, made.canRedo.value]).toEqual(["", false, true]);
    made.redo();
    expect([text, said()]).toEqual(["a", "Done again: Letter a."]);
    made.redo();
    expect([text, made.canUndo.value, made.canRedo.value]).toEqual(["ab", true, false]);
  });

  it("does not do again what something else took the place of", () => {
    const { made, write } = history();
    write("a");
    made.undo();
    write("b");
    made.redo();
    expect([text, said()]).toEqual(["b", "There is nothing to redo here."]);
  });

  it("keeps what the server did not answer about, to be taken back later", async () => {
    const { made, write } = history();
    write("a");
    let isUp = false;
    const settle = () => Promise.resolve(isUp);
    made.did({ title: "Region drawn", of: "b", undo: settle, redo: settle });
    made.undo();
    made.undo(); // not while the first is on its way
    await Promise.resolve().then(() => Promise.resolve());
    expect([text, made.canUndo.value, made.canRedo.value, said()]).toEqual(["a", true, false, undefined]);
    isUp = true;
    made.undo();
    await Promise.resolve().then(() => Promise.resolve());
    expect([made.canRedo.value, said()]).toEqual([true, "Undone: Region drawn."]);
    made.undo();
    expect(text).toBe("");
  });

  it("forgets what was refused, and nothing else", () => {
    const { made, write } = history();
    write("a");
    write("b");
    made.forget("b");
    made.undo();
    expect(said()).toBe("Undone: Letter a.");
    made.undo();
    expect(said()).toBe("There is nothing to undo here.");
  });
});
