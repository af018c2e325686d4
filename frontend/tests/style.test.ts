/// <reference types="vite/client" />
import { expect, test } from "vitest";
import { EXCLUSION, faint, INTEREST, SLIDE_GROUND, TUMOUR } from "../src/viewer/colours";

const texts = import.meta.glob<string>("../src/style/*.css", { query: "?raw", import: "default", eager: true });
const scripts = import.meta.glob<string>("../src/**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true });
const sheets = Object.entries(texts).map(([path, text]) => ({ name: path.split("/").at(-1)!, text }));
const base = sheets.find(({ name }) => name === "base.css")!.text;

/** The colours that a selector of base.css sets. */
function colours(selector: string): Record<string, string> {
  const start = base.indexOf(`${selector} {`);
  const block = base.slice(start, base.indexOf("}", start));
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1]!, found[2]!]));
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const light = colours(':root, [data-theme="light"]');
const dark = colours('[data-theme="dark"]');
const more = colours('\n[data-contrast="more"]');
const lightMore = { ...light, ...more };
const darkMore = { ...dark, ...more, ...colours('[data-theme="dark"][data-contrast="more"]') };
const PAIRS = ["paper", "ground", "raised"].flatMap((ground) => ["ink", "soft", "accent", "warn", "good"].map((ink) => [ink, ground] as const));
const MORE_PAIRS = [...PAIRS, ["on-accent", "accent"], ["accent", "accent-ground"], ["warn", "warn-ground"], ["good", "good-ground"]] as const;

test.each([
  ["light", light, 4.5],
  ["dark", dark, 4.5],
  ["light, high contrast", lightMore, 7],
  ["dark, high contrast", darkMore, 7],
])("text is told from its ground: %s", (_, theme, least) => {
  const poor = MORE_PAIRS.filter(([ink, ground]) => ratio(theme[ink]!, theme[ground]!) < least).map(
    ([ink, ground]) => `${ink} on ${ground}: ${ratio(theme[ink]!, theme[ground]!).toFixed(2)}`,
  );
  expect(poor).toEqual([]);
});

test("no token is said in terms of itself", () => {
  const circles = sheets.flatMap(({ text }) => [...text.matchAll(/--([\w-]+):[^;]*var\(--\1\)/g)].map(([found]) => found));
  expect(circles).toEqual([]);
});

test("colours, sizes of type and radii stand once, in base.css", () => {
  const stray = sheets.flatMap(({ name, text }) =>
    text
      .split("\n")
      .filter((line) => !/^\s*--/.test(line))
      .filter((line) => /#[0-9a-f]{3,8}\b|rgba?\(|font-size: [\d.]+px|border-radius: \d+px/i.test(line))
      .map((line) => `${name}: ${line.trim()}`),
  );
  expect(stray).toEqual([]);
});

test("colours over tissue stand once, in colours.ts, as base.css says them", () => {
  const stray = Object.entries(scripts)
    .filter(([path]) => !/viewer\/(colours|density)\.ts$/.test(path))
    .flatMap(([path, text]) => [...text.matchAll(/["'`](#[0-9a-f]{3,8}|rgba?\([^$"'`]*\))["'`]/gi)].map(([found]) => `${path}: ${found}`));
  expect(stray).toEqual([]);
  const all = colours(":root");
  expect([TUMOUR, INTEREST, EXCLUSION, SLIDE_GROUND]).toEqual([all.tumour, all.interest, all.exclusion, all["slide-ground"]]);
  expect(faint(INTEREST, 0.2)).toBe("rgba(0,114,178,0.2)");
});

test("what is asked of the tokens is there", () => {
  const asked = new Set(sheets.flatMap(({ text }) => [...text.matchAll(/var\(--([\w-]+)/g)].map((found) => found[1]!)));
  const given = new Set([...base.matchAll(/--([\w-]+):/g)].map((found) => found[1]!));
  expect([...asked].filter((name) => !given.has(name))).toEqual([]);
});
