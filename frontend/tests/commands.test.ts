import { describe, expect, it } from "vitest";

import { capsOf, commandsNow, groups, keyOf, listenToKeys, type Group } from "../src/keys/commands";

function press(init: KeyboardEventInit, target: EventTarget = document.body): void {
  target.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init }));
}

describe("the name of a key", () => {
  it.each<[KeyboardEventInit, string]>([
    [{ key: "n" }, "n"],
    [{ key: "N", shiftKey: true }, "Shift+N"],
    [{ key: "z", ctrlKey: true }, "Ctrl+Z"],
    [{ key: "z", metaKey: true }, "Ctrl+Z"],
    [{ key: "Z", ctrlKey: true, shiftKey: true }, "Ctrl+Shift+Z"],
    [{ key: "?", shiftKey: true }, "?"],
    [{ key: " " }, "Space"],
    [{ key: "h", altKey: true }, "Alt+h"],
    [{ key: "ArrowLeft" }, "ArrowLeft"],
  ])("%o", (init, name) => expect(keyOf(new KeyboardEvent("keydown", init))).toBe(name));

  it("is shown as caps", () => {
    expect(capsOf("Ctrl+Z")).toEqual(["Ctrl", "Z"]);
    expect(capsOf("+")).toEqual(["+"]);
    expect(capsOf("Delete")).toEqual(["Del"]);
  });
});

describe("what a key does", () => {
  const done: string[] = [];
  const command = (key: string, what: string, repeats = false) => ({ keys: [key], title: what, repeats, run: () => void done.push(what) });
  const below: Group = { name: "below", commands: [command("n", "below"), command("ArrowLeft", "pan", true)] };
  const above: Group = { name: "above", commands: [command("n", "above")] };
  listenToKeys();

  it("is what the innermost place says, not while something is written, and once while held", () => {
    groups.value = [below, above];
    press({ key: "n" });
    press({ key: "n", repeat: true });
    press({ key: "ArrowLeft", repeat: true });
    const input = document.body.appendChild(document.createElement("input"));
    press({ key: "n" }, input);
    input.remove();
    expect(done).toEqual(["above", "pan"]);
  });

  it("is the button's where a button has the focus", () => {
    done.length = 0;
    groups.value = [{ name: "one", commands: [command("Enter", "done"), command("n", "next")] }];
    const button = document.body.appendChild(document.createElement("button"));
    press({ key: "Enter" }, button);
    press({ key: "n" }, button);
    button.remove();
    expect(done).toEqual(["next"]);
  });

  it("is offered by name unless another place has taken its key, and may be heard while something is written", () => {
    done.length = 0;
    groups.value = [below, above, { name: "find", commands: [{ ...command("Ctrl+K", "find"), whileTyping: true }] }];
    expect(commandsNow().map(({ group, command: { title } }) => `${group}: ${title}`)).toEqual(["find: find", "above: above", "below: pan"]);
    const input = document.body.appendChild(document.createElement("input"));
    press({ key: "k", ctrlKey: true }, input);
    input.remove();
    expect(done).toEqual(["find"]);
  });
});
