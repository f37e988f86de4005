/**
 * JSON files that must hold an object.
 *
 * @module
 */
import { readJson } from "../../model/files.ts";
import type { JsonObject } from "./store.ts";

/** Throws `TypeError` when a value is not an object. */
export function asJsonObject(value: unknown): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new TypeError("Not an object");
}

/** Reads a file. Throws `Deno.errors.NotFound` without it and `SyntaxError` when it holds no JSON object. */
export async function readJsonObject(path: string): Promise<JsonObject> {
  const value = await readJson(path);
  try {
    return asJsonObject(value);
  } catch (error) {
    throw new SyntaxError(`Cannot read ${path}: it holds no JSON object, write it again`, { cause: error });
  }
}
