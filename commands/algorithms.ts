/**
 * `algorithms`: lists the algorithms, or shows one with its settings and metrics.
 *
 * @module
 */
import { debugLevel } from "../kernels/gpu/mod.ts";
import { type Algorithm, algorithms } from "../rl/algorithms/mod.ts";
import {
  type Command,
  defineOptions,
  foldLines,
  formatHelp,
  outputColumns,
  processConsole,
  runCommand,
  section,
} from "../rl/cli/mod.ts";
import { loadAlgorithm } from "../rl/run/load_algorithm.ts";

const options = defineOptions({
  algorithm: {
    type: "string",
    meaning: "one algorithm, by name or by the file of your own: its settings and what it logs",
  },
  json: { type: "boolean", default: false, meaning: "print the algorithms as JSON on stdout" },
});

/** The `algorithms` command. */
export const algorithmsCommand: Command<typeof options> = {
  command: "./ponder algorithms",
  summary: "List the algorithms that a policy can learn by, or show one with its settings and metrics.",
  examples: [
    "./ponder algorithms",
    "./ponder algorithms --algorithm grpo",
    "./ponder algorithms --algorithm ./mine.ts",
    "./ponder algorithms --json",
  ],
  options,
  async run({ values: { algorithm, json } }) {
    const chosen = algorithm === undefined ? Object.values(algorithms) : [await loadAlgorithm(algorithm)];
    if (json) {
      const list = chosen.map(({ name, summary, source, options, metrics }) => {
        return { name, summary, source, settings: options, metrics };
      });
      processConsole.out(JSON.stringify(list) + "\n");
    } else if (algorithm !== undefined) {
      processConsole.out(foldLines(describe(chosen[0], algorithm), outputColumns()));
    } else {
      const width = Math.max(...chosen.map(({ name }) => name.length)) + 2;
      for (const { name, summary, source } of chosen) {
        const text = `${name.padEnd(width)}${summary}\n${" ".repeat(width)}${source}\n`;
        processConsole.out(foldLines(text, outputColumns()));
      }
      processConsole.out("\nSettings and metrics of one: ./ponder algorithms --algorithm NAME\n");
    }
  },
};

/** Describes an algorithm as `--help` describes a command, and lists the metrics that it adds to those of every run. */
function describe({ name, summary, source, options, metrics }: Algorithm, reference: string): string {
  const help = formatHelp(
    {
      command: `./ponder train --algorithm ${reference}`,
      summary: `${name}: ${summary}. Source: ${source}.`,
    },
    section(`Settings of ${name}`, options),
  );
  const rows = Object.entries(metrics).map(([metric, meaning]) => `  ${metric}  ${meaning}\n`);
  return rows.length === 0 ? help : `${help}\nLogged beside what every run logs\n${rows.join("")}`;
}

if (import.meta.main) {
  Deno.exit(await runCommand(algorithmsCommand, Deno.args, { debug: debugLevel > 0 }));
}
