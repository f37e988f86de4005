import type { EnvironmentDefinition, EnvironmentSettings } from "../envs/mod.ts";
import { quote } from "../model/mod.ts";
import { UsageError } from "./cli/mod.ts";
import type { CommonSettings } from "./config.ts";

/**
 * Reads environment settings as flags write them: `["target=30", "faceValue=11-13"]`.
 *
 * @throws {UsageError} for an item that is no `key=value`, a key that the environment does not have, or an illegal value.
 */
export function readEnvSettings(
  environment: EnvironmentDefinition,
  items: readonly string[],
): EnvironmentSettings {
  const settings = Object.fromEntries(items.map((item) => {
    const match = /^(\w+)=(.+)$/.exec(item);
    if (match === null) {
      throw new UsageError(`Cannot read the environment setting ${quote(item)}: write it as key=value`);
    }
    return [match[1], readValue(match[2])];
  }));
  if (Object.hasOwn(settings, "seed")) {
    throw new UsageError(
      `Cannot set the seed of ${environment.name}: episodes have seeds of their own, use --seed`,
    );
  }
  try {
    environment.make(settings);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
  return settings;
}

/** Settings of the environment in evaluations. Throws as {@linkcode readEnvSettings} does. */
export function evaluationEnvSettings(
  environment: EnvironmentDefinition,
  { envSettings }: Pick<CommonSettings, "envSettings">,
): EnvironmentSettings {
  return readEnvSettings(environment, envSettings);
}

/** Settings of the environment in the warm start and in RL. Throws as {@linkcode readEnvSettings} does. */
export function trainingEnvSettings(
  environment: EnvironmentDefinition,
  { envSettings, trainingSettings }: Pick<CommonSettings, "envSettings" | "trainingSettings">,
): EnvironmentSettings {
  return readEnvSettings(environment, [...envSettings, ...trainingSettings]);
}

function readValue(text: string): boolean | number | string {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+$/.test(text) ? Number(text) : text;
}
