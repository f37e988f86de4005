import { makeEnv } from "../envs/mod.ts";
import { UsageError } from "./cli/mod.ts";

/**
 * The short name of the environment a user named, by short or published name.
 *
 * @throws {UsageError} naming the nearest known one.
 */
export function environmentName(name: string): string {
  try {
    return makeEnv(name).name;
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
