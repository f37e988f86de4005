/**
 * `verify`: a pretrained folder against exact answers of another implementation.
 *
 * @module
 */
import { openTunedGpu } from "../bench/tuning.ts";
import { debugLevel } from "../kernels/gpu/mod.ts";
import { exists, readJson } from "../model/files.ts";
import { loadPretrained } from "../model/pretrained/folder.ts";
import {
  type Command,
  defineOptions,
  printable,
  processConsole,
  runCommand,
  UsageError,
  userPath,
} from "../rl/cli/mod.ts";
import { compareWithGolden, readGolden } from "../rl/pretrained/verify.ts";

const options = defineOptions({
  adapter: {
    type: "path",
    meaning: "PEFT folder that changes the model; its golden may leave the question to FOLDER/golden.json",
  },
});

/** The `verify` command. */
export const verifyCommand: Command<typeof options> = {
  command: "./ponder verify",
  summary: "Compare a pretrained folder with golden files; exit 1 if a difference is out of bounds.",
  examples: [
    "./ponder verify models/SmolVLM-256M-Instruct golden.json",
    "./ponder verify models/SmolVLM-256M-Instruct my-adapter/golden.json --adapter my-adapter",
  ],
  options,
  positional: "FOLDER GOLDEN.json...",
  maxPositional: 100,
  async run({ values: { adapter }, positional }) {
    const [folder, ...goldens] = positional.map((path) => userPath(path));
    if (goldens.length === 0) {
      throw new UsageError("Cannot verify: name a pretrained folder and one golden file or more");
    }
    await requireModel(folder, adapter);
    let isWithin = true;
    const gpu = await openTunedGpu({ note: console.error });
    try {
      for (const path of goldens) {
        const base = `${folder}/golden.json`;
        const json = await readJson(path);
        const question = adapter !== undefined && await exists(base) ? await readJson(base) : {};
        // Each golden begins with the folder's weights: training steps change them.
        const pretrained = await loadPretrained(folder, gpu, { adapter });
        let differences;
        try {
          differences = await compareWithGolden(pretrained, readGolden(json, question));
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          throw new RangeError(`Cannot compare with ${path}: ${error.message}`, { cause: error });
        } finally {
          await gpu.settle();
        }
        processConsole.out(`${printable(path)}\n`);
        for (const { what, difference, bound, where } of differences) {
          const isEqual = difference <= bound;
          isWithin &&= isEqual;
          const shown = bound === 0
            ? (isEqual ? "equal" : `${difference} differ`)
            : difference.toExponential(2);
          processConsole.out(
            `  ${isEqual ? "ok " : "BAD"} ${what.padEnd(26)} ${shown.padStart(9)}` +
              `${bound === 0 ? "" : `   bound ${bound.toExponential(0)}`}${
                where ? `   ${printable(where)}` : ""
              }\n`,
          );
        }
      }
    } finally {
      gpu.destroy();
    }
    return isWithin ? 0 : 1;
  },
};

/** Throws what to write instead if an adapter, a model and a golden file changed places. */
async function requireModel(folder: string, adapter: string | undefined): Promise<void> {
  if (folder.endsWith(".json")) {
    throw new UsageError(`Cannot verify ${folder}: name the folder of a model first, then golden files`);
  }
  const holds = (place: string, name: string) => exists(`${place}/${name}`);
  if (!await holds(folder, "config.json") && await holds(folder, "adapter_config.json")) {
    throw new UsageError(
      `Cannot verify ${folder}: it holds an adapter alone, name the folder of its model and add --adapter ${folder}`,
    );
  }
  if (adapter !== undefined && !await holds(adapter, "adapter_config.json")) {
    throw new UsageError(
      `Cannot verify with --adapter ${adapter}: it has no adapter_config.json, name a PEFT folder`,
    );
  }
}

if (import.meta.main) Deno.exit(await runCommand(verifyCommand, Deno.args, { debug: debugLevel > 0 }));
