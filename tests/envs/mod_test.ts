import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ENV_NAMES, makeEnv } from "../../envs/mod.ts";

Deno.test("an environment is made by its short name and by its published name", () => {
  for (const name of ENV_NAMES) {
    assertEquals(makeEnv(name).name, name);
    assertEquals(makeEnv(makeEnv(name).id).name, name);
  }
  assertEquals(makeEnv("gym_cards/NumberLine-v0").name, "NumberLine");
});

Deno.test("an unknown name is answered with the nearest and with all known ones", () => {
  for (
    const name of [
      "numberlin",
      "gym_cards/NumberLin-v0",
      "alfworld/NumberLine-v0",
      "NumberLine-v0",
      "toString",
      "",
    ]
  ) {
    const error = assertThrows(() => makeEnv(name), RangeError, `Cannot make environment "${name}"`);
    if (/numberlin/i.test(name)) assertStringIncludes(error.message, 'did you mean "NumberLine"');
    for (const known of ENV_NAMES) assertStringIncludes(error.message, `${known} (${makeEnv(known).id})`);
  }
});

Deno.test("settings reach the environment", () => {
  const { info } = makeEnv("NumberLine", { maxPosition: 50 }).reset({ options: { start: 0, target: 50 } });
  assertEquals(info.target, 50);
  assertEquals(
    makeEnv("NumberLine", { seed: 4 }).reset().info,
    makeEnv("NumberLine").reset({ seed: 4 }).info,
  );
});
