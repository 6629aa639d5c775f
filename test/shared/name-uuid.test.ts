import fc from "fast-check";
import { parse, v5 } from "uuid";
import { expect, test } from "vitest";
import { nameUuid } from "../../src/shared/name-uuid.ts";

const NAMESPACE = "6f0c1d3e-7b52-4b8e-9d0a-2f7c5a1e9b44";

test("a name-based UUID is that of RFC 9562 version 5, whatever the name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (name) => {
      expect(nameUuid(parse(NAMESPACE), name)).toBe(v5(Buffer.from(name, "utf8"), NAMESPACE));
    }),
  );
});

test("the vector of RFC 9562, appendix A.4", () => {
  expect(nameUuid(parse(v5.DNS), "www.example.com")).toBe("2ed6657d-e927-568b-95e1-2665a8aea6a2");
});
