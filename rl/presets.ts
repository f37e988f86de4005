/**
 * What each environment changes of the default settings. A new environment needs an entry only where the defaults do
 * not fit it.
 *
 * @module
 */
import type { Given } from "./cli/mod.ts";
import type { trainOptions } from "./config.ts";

/** Settings by the environment's short name. The defaults are NumberLine's. */
export const environmentPresets: Readonly<Record<string, Given<typeof trainOptions>>> = {
  NumberLine: {},
};
