/**
 * `envs`: lists the environments, and puts their frames on a contact sheet.
 *
 * @module
 */
import { checkEnvironment, ENV_NAMES, type EnvironmentDefinition } from "../envs/mod.ts";
import { contactSheet } from "../envs/sheet.ts";
import { debugLevel } from "../kernels/gpu/mod.ts";
import { writeFileAtomic } from "../model/files.ts";
import {
  type Command,
  defineOptions,
  foldLines,
  formatTable,
  outputColumns,
  processConsole,
  runCommand,
} from "../rl/cli/mod.ts";
import { requireNotOfRun } from "../rl/run/entries.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";

const options = defineOptions({
  env: {
    type: "list",
    meaning:
      "environments by name, and files of your own, separated by commas; all that come along when absent",
  },
  sheet: {
    type: "path",
    bare: "sheet.png",
    meaning: "write a contact sheet of frames to this PNG file, sheet.png when none is named",
  },
  columns: {
    type: "integer",
    default: 6,
    min: 1,
    max: 50,
    unit: "frames",
    meaning: "frames a row of the sheet",
  },
  seed: { type: "integer", default: 0, min: 0, meaning: "seed of the first episode on the sheet" },
  check: {
    type: "boolean",
    default: false,
    meaning: "play some episodes and say which promises of an environment are broken",
  },
  json: { type: "boolean", default: false, meaning: "print the environments as JSON on stdout" },
});

/** The `envs` command. */
export const envsCommand: Command<typeof options> = {
  command: "./ponder envs",
  summary: "List the environments and their settings; with --sheet, draw their frames side by side.",
  examples: [
    "./ponder envs",
    "./ponder envs --sheet",
    "./ponder envs --env ./maze.ts --check",
    "./ponder envs --env Blackjack --sheet blackjack.png --columns 10",
  ],
  options,
  async run({ values: { env, sheet, columns, seed, check, json } }) {
    const definitions = await Promise.all((env ?? ENV_NAMES).map(loadEnvironment));
    if (check) return checkAll(definitions, json);
    const envs = definitions.map((definition) => definition.make());
    if (sheet !== undefined) {
      await requireNotOfRun(sheet);
      await writeFileAtomic(sheet, contactSheet(envs, { columns, seed }));
      console.error(`Wrote ${sheet}`);
    }
    if (json) {
      const list = envs.map(({ name, id, actions, bias, success = "return" }, i) => {
        const { settings, reference } = definitions[i];
        const solver = envs[i].solve !== undefined;
        return { name, id, reference, actions, solver, bias, success, settings };
      });
      processConsole.out(JSON.stringify(list) + "\n");
    } else if (sheet === undefined) {
      const rows = envs.map(({ name, id, actions, solve }, i) => {
        // The name that finds it: its published name, or its file.
        const { reference } = definitions[i];
        const place = id ?? (reference === name ? "-" : reference);
        return [name, place, solve === undefined ? "no" : "yes", shorten(actions.join(" "))];
      });
      processConsole.out(formatTable(["name", "published name", "solver", "actions"], rows) + "\n");
      const settings = definitions.flatMap(({ name, settings }) =>
        Object.entries(settings).map(([setting, meaning]) => `  ${name}  ${setting}  ${meaning}\n`)
      );
      if (settings.length > 0) {
        processConsole.out(foldLines(
          `\nSettings, for --env-settings NAME=VALUE,... of train and eval:\n${settings.join("")}`,
          outputColumns(),
        ));
      }
    }
    return 0;
  },
};

/** Checks each environment. Returns 1 if a promise is broken, else 0. */
function checkAll(definitions: readonly EnvironmentDefinition[], json: boolean): number {
  const results = definitions.map((definition) => ({
    name: definition.name,
    checks: checkEnvironment(definition),
  }));
  if (json) processConsole.out(JSON.stringify(results) + "\n");
  for (const { name, checks } of json ? [] : results) {
    processConsole.out(`${name}\n`);
    for (const { name, fault } of checks) {
      processConsole.out(fault === null ? `  kept    ${name}\n` : `  broken  ${name}: ${fault}\n`);
    }
  }
  return Number(results.some(({ checks }) => checks.some(({ fault }) => fault !== null)));
}

function shorten(text: string): string {
  return text.length <= 50 ? text : text.slice(0, 49) + "…";
}

if (import.meta.main) {
  Deno.exit(await runCommand(envsCommand, Deno.args, { debug: debugLevel > 0 }));
}
