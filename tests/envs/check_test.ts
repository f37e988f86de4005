/** The checks of definitions: ours pass, and each fault is found. */
import { assert, assertEquals } from "@std/assert";
import {
  checkEnvironment,
  defineEnvironment,
  type Environment,
  ENVIRONMENT_CHECKS,
  ENVIRONMENTS,
} from "../../envs/mod.ts";
import { corridor, corridorRules } from "./corridor.ts";

for (const definition of ENVIRONMENTS) {
  for (const { name, run } of ENVIRONMENT_CHECKS) {
    Deno.test(`${definition.name}: ${name}`, () => run(definition));
  }
}

/** The corridor with some methods replaced; each is handed the environment as it was. */
function broken(change: (env: Environment) => Partial<Environment>) {
  return defineEnvironment({
    name: "Corridor",
    make: () => {
      const env = corridor.make();
      const original = { ...env, reset: env.reset.bind(env), step: env.step.bind(env) };
      return Object.assign(env, change(original as Environment));
    },
  });
}

const faults: Readonly<Record<string, [definition: ReturnType<typeof broken>, fault: string]>> = {
  "an empty token": [broken(() => ({ tokens: ["a", ""] })), "tokens has an empty text"],
  "a picture of another size later on": [
    defineEnvironment({
      ...corridorRules,
      render: ({ place }) => ({ width: 1, height: place + 1, data: new Uint8Array(3 * (place + 1)) }),
    }),
    "expected one size",
  ],
  "chance that does not follow the seed": [
    defineEnvironment({ ...corridorRules, reset: () => ({ place: Math.floor(Math.random() * 4) }) }),
    "on seed 7",
  ],
  "one and the same episode": [
    defineEnvironment({
      ...corridorRules,
      reset: () => ({ place: 0 }),
      step: (state) => ({ state, reward: 0, terminated: true }),
    }),
    "one and the same episode",
  ],
  "a seed that is none": [
    broken(({ reset }) => ({ reset: (settings) => reset({ ...settings, seed: 1 }) })),
    "reset takes seed",
  ],
  "an action that is none": [
    broken(({ step }) => ({ step: (action) => step(action === 0 ? 0 : 1) })),
    "step takes action -1",
  ],
  "legal actions out of order": [broken(() => ({ legalActions: () => [1, 0] })), "do not ascend"],
  "episodes without an end": [
    defineEnvironment({
      ...corridorRules,
      stepLimit: undefined,
      step: (state) => ({ state, reward: 0 }),
    }),
    "goes on after 10000 steps",
  ],
  "a key that changes": [
    broken(() => ({ stateKey: () => String(Math.random()) })),
    "keys of the same state differ",
  ],
  "a present state that is another": [
    broken(({ reset }) => ({ current: () => reset({ seed: 0 }) })),
    "current is not what reset returned",
  ],
  "tokens that do not cover": [broken(() => ({ tokens: ["left", "right"] })), "no token covers"],
  "a span that is none": [
    broken(() => ({ parse: () => ({ action: 0, start: 0, end: 1 }) })),
    "which is no such span",
  ],
  "demonstrations without an action": [
    broken(() => ({ demonstrate: () => '{"action": ""}' })),
    "parses to no action",
  ],
};

for (const [name, [definition, fault]] of Object.entries(faults)) {
  Deno.test(`the checks find ${name}`, () => {
    const found = checkEnvironment(definition).flatMap(({ fault }) => fault ?? []);
    assert(found.some((text) => text.includes(fault)), found.join("\n") || "nothing was found");
  });
}

Deno.test("a text that only an empty token would cover is a fault like any other", () => {
  const found = checkEnvironment(broken(() => ({ tokens: ["left", ""] }))).flatMap(({ fault }) =>
    fault ?? []
  );
  assert(found.some((text) => text.includes("no token covers")), found.join("\n"));
});

Deno.test("an environment that keeps its promises has no fault", () => {
  assertEquals(checkEnvironment(corridor, { length: 7 }).filter(({ fault }) => fault !== null), []);
});
