import { signal } from "@preact/signals";
import { Ruler } from "lucide";
import { expect, test } from "vitest";
import { toggle } from "../src/tools/rail";
import type { StageTool } from "../src/tools/stage-tool";

function tool(title: string, more: Partial<StageTool> = {}): StageTool {
  return { title, icon: Ruler, key: title, isOn: signal(false), ...more };
}

test("of tools that ask for something one is open on a phone, several elsewhere", () => {
  const Face = () => null;
  const [list, heat, grid] = [tool("list", { Face }), tool("heat", { Face }), tool("grid")];
  const all = [list, heat, grid];
  const on = () => all.filter((one) => one.isOn.value).map((one) => one.title);
  for (const one of all) toggle(one, all, false);
  expect(on()).toEqual(["list", "heat", "grid"]);
  toggle(list, all, true);
  expect(on()).toEqual(["heat", "grid"]);
  toggle(list, all, true);
  expect(on()).toEqual(["list", "grid"]);
});
