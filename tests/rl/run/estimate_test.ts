/** The time that a run has left, from its pace. */
import { assert, assertEquals } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import type { Policy } from "../../../rl/policy.ts";
import { estimateWork } from "../../../rl/run/estimate.ts";

const policy = { parameters: { count: 1000 } } as Policy;
const config = resolveConfig({ sftSteps: 4 }, numberLine);

Deno.test("nothing is said of the time left before some work is done", () => {
  assertEquals(estimateWork(policy, config).left("sft", 0.5), undefined);
});

Deno.test("updates beyond the planned ones show the pace too: the time left shrinks with each of them", () => {
  const { left } = estimateWork(policy, config);
  left("sft", 0);
  // Some time must pass, so that a pause between the next two calls is small beside it.
  const startMs = performance.now();
  while (performance.now() - startMs < 20);
  const planned = left("sft", 1)!;
  const beyond = left("sft", 1000)!;
  assert(
    beyond < planned / 10,
    `${beyond} ms after 1000 times the planned updates, ${planned} ms after these`,
  );
  // What went beyond the plan stays part of the pace in the next stages.
  const next = left("evaluation after sft", 0.01)!;
  assert(next < planned / 10, `${next} ms`);
});
