import { expect, test } from "vitest";
import { linkAddress } from "../src/lead/link-address";

const HERE = ["http://localhost:8411", "http://127.0.0.1:8411", "http://127.8.8.8:8411", "http://[::1]:8411"];

test("a link is for an address that others can reach", () => {
  const found = { address: null, addresses: ["http://10.0.0.4:8411", "http://labels:8411"] };
  for (const here of HERE) {
    expect(linkAddress(here, found)).toBe("http://10.0.0.4:8411");
    expect(linkAddress(here, { address: null, addresses: [] })).toBeNull();
    expect(linkAddress(here, { ...found, address: "https://labels.example.org" })).toBe("https://labels.example.org");
  }
  expect(linkAddress("http://labels:8411", found)).toBe("http://labels:8411");
  expect(linkAddress("http://127.0.0.1.example.org", found)).toBe("http://127.0.0.1.example.org");
});
