/**
 * What each metric means, as the code that logs it says: `scripts/watch_page.ts` reads the comments and puts them here.
 *
 * @module
 */

declare const PONDER_DEFINITIONS: Readonly<Record<string, string>>;

/** Definitions by metric. */
export const definitions: Readonly<Record<string, string>> = PONDER_DEFINITIONS;
