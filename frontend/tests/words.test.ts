import { describe, expect, it } from "vitest";

import { sentence } from "../src/ui/words";
import { after } from "../src/ui/counted";

describe("a line of the server as a sentence", () => {
  it.each([
    ["name holds control characters", "Name holds control characters."],
    ["study.mito: was moved while it is open", "study.mito: was moved while it is open."],
    ["put it back where it was", "Put it back where it was."],
    ["The server does not answer.", "The server does not answer."],
    ["breast-01.tiff: the file is gone", "breast-01.tiff: the file is gone."],
    ["cell 3: is deleted", "Cell 3: is deleted."],
    ["", ""],
  ])("%s", (line, said) => expect(sentence(line)).toBe(said));
});

it("a plural after one is a singular", () => {
  expect([after(1, "cells"), after(0, "cells"), after(2, "slides"), after(1, "tiles are gold")]).toEqual(["cell", "cells", "slides", "tiles are gold"]);
});
