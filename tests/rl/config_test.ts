/** Settings: defaults, presets, and the checks that no single option can make. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { defineEnvironment, ENV_NAMES, findEnvironment, gridPicture, numberLine } from "../../envs/mod.ts";
import { type Option, readValue, UsageError } from "../../rl/cli/mod.ts";
import { resolveConfig, settingsOf, trainOptions } from "../../rl/config.ts";
import { environmentPresets } from "../../rl/presets.ts";

Deno.test("every default is a value that its own option accepts", () => {
  for (const [name, option] of Object.entries<Option>(trainOptions)) {
    if (option.default === undefined) continue;
    assertEquals(readValue(option, option.default, name), option.default);
    assert(option.meaning.length > 0, name);
  }
});

Deno.test("the defaults fit together for every environment", () => {
  for (const name of ENV_NAMES) assertEquals(resolveConfig({}, findEnvironment(name)).env, name);
});

Deno.test("what is given wins over the environment's preset, which wins over the defaults", () => {
  for (const [name, preset] of Object.entries(environmentPresets)) {
    const config: Record<string, unknown> = resolveConfig({}, findEnvironment(name));
    for (const [key, value] of Object.entries(preset)) assertEquals(config[key], value, `${name} ${key}`);
  }
  assertEquals(resolveConfig({ gamma: 0.123 }, numberLine).gamma, 0.123);
  assertEquals(resolveConfig({}, numberLine).seed, trainOptions.seed.default);
});

Deno.test("freeze none trains every weight, and an unknown kind is named", () => {
  assertEquals(resolveConfig({ freeze: ["none"] }, numberLine).freeze, []);
  assertEquals(resolveConfig({ freeze: [] }, numberLine).freeze, []);
  assertEquals(resolveConfig({ freeze: ["bias"] }, numberLine).freeze, ["bias"]);
  assertThrows(
    () => resolveConfig({ freeze: ["bais"] }, numberLine),
    UsageError,
    'Cannot use --freeze: unknown kind "bais"',
  );
});

Deno.test("a minibatch has to divide an iteration's steps", () => {
  const resolve = (minibatch: number) => resolveConfig({ envs: 6, rolloutSteps: 4, minibatch }, numberLine);
  for (const minibatch of [1, 8, 24]) assertEquals(resolve(minibatch).minibatch, minibatch);
  for (const minibatch of [5, 16, 48]) {
    assertThrows(() => resolve(minibatch), UsageError, `--minibatch ${minibatch} must divide the 24 steps`);
  }
});

Deno.test("an algorithm's settings are its own: others' are refused by name", () => {
  const foreign = { groupSize: 4 };
  assertThrows(
    () => resolveConfig(foreign, numberLine),
    UsageError,
    "Cannot use --group-size: it is a setting of expert-iteration, gigpo, grpo",
  );
});

Deno.test("a policy without words has no settings of words", () => {
  const config = resolveConfig({ policy: "cnn" }, numberLine);
  assertEquals([config.demonstrations, config.maxNewTokens, config.cot], [0, 1, false]);
  assertThrows(
    () => resolveConfig({ policy: "cnn", maxNewTokens: 8 }, numberLine),
    UsageError,
    "Cannot use --max-new-tokens: a policy of kind cnn has no such setting",
  );
});

Deno.test("mistakes are kinds that the demonstrator makes, with a probability, or none alone", () => {
  for (const mistakes of [["flipMinus=0.3", "misread=0"], ["none"], []]) {
    assertEquals(resolveConfig({ mistakes }, numberLine).mistakes, mistakes);
  }
  for (const item of ["flipMinus", "flipMinus=2", "flips=0.3", "none"]) {
    assertThrows(
      () => resolveConfig({ mistakes: ["misread=0.1", item] }, numberLine),
      UsageError,
      `Cannot use the mistake "${item}": write it as kind=probability, NumberLine knows misread, `,
    );
  }
});

Deno.test("thoughts in the warm start alone are for a policy that writes none later", () => {
  assertThrows(() => resolveConfig({ sftThoughts: true }, numberLine), UsageError, "add --no-cot");
  assertEquals(resolveConfig({ sftThoughts: true, cot: false }, numberLine).sftThoughts, true);
  assertThrows(
    () => resolveConfig({ policy: "cnn", sftThoughts: true }, numberLine),
    UsageError,
    "a policy of kind cnn has no such setting",
  );
  assertThrows(() => resolveConfig({ valueCoefficient: 1 }, numberLine), UsageError, "--value-coefficient");
});

Deno.test("the settings of a run, read from its config.json, are settings of another", () => {
  for (const policy of ["vlm", "cnn"] as const) {
    const settings = JSON.parse(JSON.stringify(settingsOf(resolveConfig({ policy }, numberLine))));
    assertEquals(settingsOf(resolveConfig(settings, numberLine)), settings);
  }
  assertThrows(() => resolveConfig({ policy: "cnn", cot: true }, numberLine), UsageError, "no such setting");
});

Deno.test("in an environment of one's own a response may be a quarter longer than demonstrations are", () => {
  const counting = (words: number, solve?: () => number) =>
    defineEnvironment({
      name: "Counting",
      actions: ["stay", "go"],
      stepLimit: 4,
      reset: () => ({ n: 0 }),
      step: ({ n }) => ({ state: { n: n + 1 }, reward: 0 }),
      render: () => gridPicture(["."], { ".": [0, 0, 0] }),
      solve,
      thought: () => "one ".repeat(words).trim(),
    });
  const go = () => 1;
  const short = resolveConfig({}, counting(1, go)).maxNewTokens;
  const long = resolveConfig({}, counting(40, go)).maxNewTokens;
  assert(long > 40 && long > short, `${short} and ${long}`);
  assertEquals(resolveConfig({ seed: 7 }, counting(40, go)).maxNewTokens, long);
  assert(resolveConfig({ cot: false }, counting(40, go)).maxNewTokens < short);
  assertEquals(resolveConfig({ maxNewTokens: 9 }, counting(40, go)).maxNewTokens, 9);
  assertEquals(resolveConfig({}, counting(40)).maxNewTokens, 14);
  assertEquals(resolveConfig({ policy: "cnn" }, counting(40, go)).maxNewTokens, 1);
  assertEquals(resolveConfig({}, findEnvironment("NumberLine")).maxNewTokens, 14);
});
