import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../rl/cli/mod.ts";
import { resolveConfig } from "../../rl/config.ts";
import { evaluationEnvSettings, readEnvSettings, trainingEnvSettings } from "../../rl/env_settings.ts";

Deno.test("environment settings are numbers, booleans or words", () => {
  assertEquals(readEnvSettings("Points24", ["target=30", "faceValue=11-13", "solvableOnly=true"]), {
    target: 30,
    faceValue: "11-13",
    solvableOnly: true,
  });
  assertEquals(readEnvSettings("NumberLine", []), {});
});

Deno.test("an environment setting that is malformed, unknown or illegal is a usage error", () => {
  assertThrows(() => readEnvSettings("Points24", ["target"]), UsageError, 'key=value, got "target"');
  assertThrows(
    () => readEnvSettings("NumberLine", ["target=3"]),
    UsageError,
    'no setting "target", known: seed, maxPosition',
  );
  assertThrows(() => readEnvSettings("Points24", ["target=0"]), UsageError, "target is 0");
  for (
    const [env, setting] of [["Blackjack", "natural"], ["Blackjack", "sab"], ["Points24", "solvableOnly"]]
  ) {
    for (const value of ["no", "False", "0"]) {
      const read = () => readEnvSettings(env, [`${setting}=${value}`]);
      assertThrows(read, UsageError, `Cannot make ${env}: ${setting} is`);
    }
  }
  assertThrows(
    () => readEnvSettings("Blackjack", ["seed=5"]),
    UsageError,
    "Cannot set the seed of Blackjack",
  );
  assertThrows(() => resolveConfig({ envSettings: ["mode=x"] }, "Household"), UsageError, "mode");
});

Deno.test("training settings are laid over those of the evaluation", () => {
  const config = resolveConfig(
    { envSettings: ["target=30"], trainingSettings: ["solvableOnly=true"] },
    "Points24",
  );
  assertEquals(evaluationEnvSettings(config), { target: 30 });
  assertEquals(trainingEnvSettings(config), { target: 30, solvableOnly: true });
});
