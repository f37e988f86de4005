/** The address of the watch page: what is written is read again, and what is broken starts fresh. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { readLink } from "../../../web/watch/link.ts";

const FRESH = { view: "trend", iteration: null, place: null, runs: null, fault: null } as const;

Deno.test("an address gives back its view, its runs and the place in them", () => {
  assertEquals(readLink(""), FRESH);
  assertEquals(readLink("#/compare?runs=a,sweep%2Fb%2C1,100%25"), {
    ...{ ...FRESH, view: "compare" },
    runs: ["a", "sweep/b,1", "100%"],
  });
  assertEquals(readLink("#/iteration/12?runs=a"), {
    ...FRESH,
    view: "iteration",
    iteration: 12,
    runs: ["a"],
  });
  assertEquals(readLink("#/episodes/rl-000012.jsonl/3/4"), {
    ...{ ...FRESH, view: "episodes" },
    place: { file: "rl-000012.jsonl", episode: 3, turn: 4 },
  });
});

Deno.test("an address that is broken or too long says so, and starts fresh", () => {
  const broken: readonly [string, string][] = [
    ["#/nonsense", "no such view"],
    ["#/__proto__", "no such view"],
    ["#/trend?runs=%E0%A4%A", "no text"],
    ["#/trend?runs=%", "no text"],
    ["#/iteration/-1", "no number"],
    ["#/iteration/1e9", "no number"],
    ["#/episodes/..%2f..%2fsecret/0/0", "no recorded turn"],
    ["#/episodes/rl-000001.jsonl", "no recorded turn"],
    [`#/trend?runs=${"a".repeat(9000)}`, "too long"],
  ];
  for (const [hash, said] of broken) {
    const { fault, ...rest } = readLink(hash);
    assertStringIncludes(fault ?? "", said, hash);
    assertStringIncludes(fault!, "starts fresh");
    assertEquals({ ...rest, fault: null }, FRESH);
  }
});

Deno.test("any address is read without a throw", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => {
    assert(typeof readLink(`#/${text}`).view === "string");
    assert(typeof readLink(`#/trend?runs=${text}`).view === "string");
  }));
});
