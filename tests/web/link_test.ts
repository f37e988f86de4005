/** The playground's state in its address: what is shared comes back, and what is broken starts fresh. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { ENVIRONMENTS } from "../../envs/mod.ts";
import { type EnvironmentName, TASKS } from "../../web/playground/environments.ts";
import { FRESH, fromLink, toLink } from "../../web/playground/link.ts";

Deno.test("a shared link gives the state back", () => {
  const shared = fc.record({
    env: fc.constantFrom(...Object.keys(TASKS) as EnvironmentName[]),
    lambda: fc.integer({ min: 0, max: 1000 }).map((n) => n / 1000),
    seed: fc.integer({ min: 0, max: 999_999 }),
    budget: fc.constantFrom("short" as const, "full" as const),
    episode: fc.integer({ min: 0, max: 999_999 }),
    greedy: fc.boolean(),
  });
  fc.assert(fc.property(shared, (state) => {
    assertEquals(fromLink(`#${toLink(state)}`), { shared: state, fault: null });
  }));
});

Deno.test("the playground names all environments that come with ponder", () => {
  assertEquals(Object.keys(TASKS).sort(), ENVIRONMENTS.map(({ name }) => name).sort());
});

Deno.test("an empty link and one that says a part are no fault", () => {
  assertEquals(fromLink(""), { shared: FRESH, fault: null });
  assertEquals(fromLink("#lambda=0.2"), { shared: { ...FRESH, lambda: 0.2 }, fault: null });
});

Deno.test("a broken link, or one that is too long, starts fresh and says so", () => {
  const broken: readonly [string, string][] = [
    ["#lambda=2", "lambda is not"],
    ["#lambda=1e-2", "lambda is not"],
    ["#lambda=", "lambda is not"],
    ["#seed=-1", "seed is not"],
    ["#seed=1000000", "seed is not"],
    ["#budget=__proto__", "budget is not"],
    ["#env=__proto__", "env is not"],
    ["#env=Chess", "env is not"],
    ["#__proto__=1", "does not know"],
    ["#greedy=yes", "greedy is not"],
    ["#%E0%A4%A=1", "does not know"],
    [`#seed=${"1".repeat(300)}`, "too long"],
  ];
  for (const [link, said] of broken) {
    const { shared, fault } = fromLink(link);
    assertEquals(shared, FRESH);
    assertStringIncludes(fault!, said);
    assertStringIncludes(fault!, "starts fresh");
  }
});

Deno.test("any text is read without a throw, and what is read may be shared again", () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => {
    const { shared } = fromLink(text);
    assert(fromLink(toLink(shared)).fault === null);
  }));
});
