/**
 * Offline stand-in for the part of `@std/cli` this repository uses: `parseArgs`, with the same signature and
 * meaning. Where JSR is reachable, delete the `links` line of deno.json to use the published package.
 *
 * @module
 */
export { type Args, parseArgs, type ParseOptions } from "./parse_args.ts";
