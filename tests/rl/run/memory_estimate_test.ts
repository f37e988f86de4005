import { assertEquals, assertThrows } from "@std/assert";
import { findEnvironment, numberLine } from "../../../envs/mod.ts";
import { UsageError } from "../../../rl/cli/mod.ts";
import { resolveConfig, type TrainConfig } from "../../../rl/config.ts";
import { memoryParts, requireMemory } from "../../../rl/run/memory_estimate.ts";
import { environmentPresets } from "../../../rl/presets.ts";
import { designModel } from "../../../rl/setup.ts";

/** Limits of software Vulkan, on a small machine. */
const SMALL = { totalBytes: 2 * 2 ** 30, isShared: true, maxBindingBytes: 128 * 2 ** 20 };
const LARGE = { totalBytes: 2 ** 40, isShared: false, maxBindingBytes: 4 * 2 ** 30 };

const modelOf = (config: TrainConfig) => ({ model: designModel(findEnvironment(config.env), config).model });
const require = (changes: Partial<TrainConfig>, machine = SMALL) => {
  const config = resolveConfig(changes, numberLine);
  requireMemory(config, modelOf(config), machine);
};

Deno.test("the defaults of every environment fit a small machine", () => {
  for (const name of ["NumberLine", ...Object.keys(environmentPresets)]) {
    const config = resolveConfig({}, findEnvironment(name));
    requireMemory(config, modelOf(config), SMALL);
  }
});

Deno.test("a million environments are refused, for the adapter or for the machine", () => {
  const many = { envs: 1_000_000, minibatch: 64 };
  assertThrows(
    () => require(many),
    UsageError,
    "Cannot train with --envs 1000000: the cache of keys and values takes at least 68.7 GiB in " +
      "one buffer, this adapter binds 128 MiB; use a smaller number",
  );
  assertThrows(
    () => require(many, { ...SMALL, maxBindingBytes: Infinity }),
    UsageError,
    "Cannot train with --envs 1000000 --rollout-steps 8: an iteration's steps take at least 98.1 GiB of ",
  );
  require({ envs: 1024 });
  // NumberLine's prompt takes a few tokens: 1,457 environments exceed software Vulkan's limit.
  const config = resolveConfig({ envs: 1457, minibatch: 8 }, numberLine);
  requireMemory(config, modelOf(config), SMALL);
  assertThrows(() => requireMemory(config, { ...modelOf(config), promptTokens: 6 }, SMALL), UsageError);
});

Deno.test("ten million demonstrations are refused, unless there is no warm start", () => {
  assertThrows(
    () => require({ demonstrations: 1e7 }),
    UsageError,
    "Cannot train with --demonstrations 10000000: demonstrations take at least 19.9 GiB of ",
  );
  require({ demonstrations: 1e7, sftSteps: 0 });
  require({ demonstrations: 1e7 }, LARGE);
});

Deno.test("a batch of the warm start is no larger than its demonstrations", () => {
  require({ sftBatch: 1e9 });
  assertThrows(() => require({ sftBatch: 1e9, demonstrations: 1e5 }), UsageError, "--sft-batch 1000000000");
});

Deno.test("the parts follow their formulas", () => {
  const config = resolveConfig({ demonstrations: 10, envs: 3, rolloutSteps: 2, minibatch: 6 }, numberLine);
  const bytes = Object.fromEntries(
    memoryParts(config, modelOf(config)).map(({ what, bytes }) => [what.replace(/ takes?$/, ""), bytes]),
  );
  const picture = 64 * 64 * 3, R = config.maxNewTokens;
  assertEquals(bytes["demonstrations"], 10 * (picture / 8 + 600));
  assertEquals(bytes["an iteration's steps"], 3 * 2 * (picture + 600 + 20 * R));
  // nano: 3 layers of width 96, 16 tokens of a picture; 16 + 1 + 14 positions in whole eights.
  assertEquals(bytes["the cache of keys and values"], 3 * 3 * 32 * 2 * 96 * 4);
  // One head of keys that is wider than width / heads, 24.
  const { model } = modelOf(config);
  const wide = memoryParts(config, { model: { ...model, keyValueHeads: 1, headSize: 64 } });
  const cache = wide.find(({ what }) => what.startsWith("the cache of keys and values"))!;
  assertEquals(cache.bytes, 3 * 3 * 32 * 2 * 64 * 4);
});
