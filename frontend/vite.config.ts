import { defineConfig } from "vitest/config";

// Everything is bundled into files of the same origin: the page runs under `default-src 'self'`, without inline code.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/mitoscope/web/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
    target: "es2022",
  },
  test: { environment: "happy-dom", css: true, include: ["tests/**/*.test.ts", "tests/**/*.test.tsx"] },
});
