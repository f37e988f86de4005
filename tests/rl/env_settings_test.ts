import { assertEquals, assertThrows } from "@std/assert";
import { blackjack, findEnvironment, household, numberLine, points24 } from "../../envs/mod.ts";
import { UsageError } from "../../rl/cli/mod.ts";
import { resolveConfig } from "../../rl/config.ts";
import { evaluationEnvSettings, readEnvSettings, trainingEnvSettings } from "../../rl/env_settings.ts";

Deno.test("environment settings are numbers, booleans or words", () => {
  assertEquals(readEnvSettings(points24, ["target=30", "faceValue=11-13", "solvableOnly=true"]), {
    target: 30,
    faceValue: "11-13",
    solvableOnly: true,
  });
  assertEquals(readEnvSettings(numberLine, []), {});
});

Deno.test("an environment setting that is malformed, unknown or illegal is a usage error", () => {
  assertThrows(() => readEnvSettings(points24, ["target"]), UsageError, '"target": write it as key=value');
  assertThrows(
    () => readEnvSettings(numberLine, ["target=3"]),
    UsageError,
    'no setting "target", known: seed, maxPosition',
  );
  assertThrows(() => readEnvSettings(points24, ["target=0"]), UsageError, "target is 0");
  for (
    const [env, setting] of [["Blackjack", "natural"], ["Blackjack", "sab"], ["Points24", "solvableOnly"]]
  ) {
    for (const value of ["no", "False", "0"]) {
      const read = () => readEnvSettings(findEnvironment(env), [`${setting}=${value}`]);
      assertThrows(read, UsageError, `Cannot make ${env}: ${setting} is`);
    }
  }
  assertThrows(
    () => readEnvSettings(blackjack, ["seed=5"]),
    UsageError,
    "Cannot set the seed of Blackjack",
  );
  assertThrows(() => resolveConfig({ envSettings: ["mode=x"] }, household), UsageError, "mode");
});

Deno.test("training settings are laid over those of the evaluation", () => {
  const config = resolveConfig(
    { envSettings: ["target=30"], trainingSettings: ["solvableOnly=true"] },
    points24,
  );
  assertEquals(evaluationEnvSettings(points24, config), { target: 30 });
  assertEquals(trainingEnvSettings(points24, config), { target: 30, solvableOnly: true });
});
