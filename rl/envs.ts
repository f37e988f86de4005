/**
 * `envs`: lists the environments, and puts their frames on a contact sheet.
 *
 * @module
 */
import { ENV_NAMES } from "../envs/mod.ts";
import { contactSheet } from "../envs/sheet.ts";
import { debugLevel } from "../kernels/gpu/mod.ts";
import { writeFileAtomic } from "../model/files.ts";
import { type Command, defineOptions, formatTable, processConsole, runCommand } from "./cli/mod.ts";
import { loadEnvironment } from "./load_environment.ts";

const options = defineOptions({
  env: { type: "list", meaning: "environments, separated by commas; all when absent" },
  sheet: {
    type: "string",
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
  json: { type: "boolean", default: false, meaning: "print the environments as JSON on stdout" },
});

/** The `envs` command. */
export const envsCommand: Command<typeof options> = {
  command: "deno task envs",
  summary: "List the environments and their settings; with --sheet, draw their frames side by side.",
  examples: [
    "deno task envs",
    "deno task envs --sheet",
    "deno task envs --env Blackjack --sheet blackjack.png --columns 10",
  ],
  options,
  async run({ values: { env, sheet, columns, seed, json } }) {
    const definitions = await Promise.all((env ?? ENV_NAMES).map(loadEnvironment));
    const envs = definitions.map((definition) => definition.make());
    if (sheet !== undefined) {
      await writeFileAtomic(sheet, contactSheet(envs, { columns, seed }));
      console.error(`Wrote ${sheet}`);
    }
    if (json) {
      const list = envs.map(({ name, id, actions, bias, success = "return" }, i) => {
        return { name, id, actions, bias, success, settings: definitions[i].settings };
      });
      processConsole.out(JSON.stringify(list) + "\n");
    } else if (sheet === undefined) {
      const rows = envs.map(({ name, id, actions }) => [name, id ?? "-", shorten(actions.join(" "))]);
      processConsole.out(formatTable(["name", "published name", "actions"], rows) + "\n");
      const settings = definitions.flatMap(({ name, settings }) =>
        Object.entries(settings).map(([setting, meaning]) => `  ${name}  ${setting}  ${meaning}\n`)
      );
      if (settings.length > 0) {
        processConsole.out(
          `\nSettings, for --env-settings NAME=VALUE,... of train and eval:\n${settings.join("")}`,
        );
      }
    }
  },
};

function shorten(text: string): string {
  return text.length <= 50 ? text : text.slice(0, 49) + "…";
}

if (import.meta.main) {
  Deno.exit(await runCommand(envsCommand, Deno.args, { debug: debugLevel > 0 }));
}
