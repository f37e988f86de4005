/**
 * `import`: brings a pretrained model here, from the hub or from a folder, and says what it is.
 *
 * @module
 */
import { exists, readJson } from "../model/files.ts";
import {
  type Command,
  defineOptions,
  printable,
  processConsole,
  Progress,
  runCommand,
  shellQuote,
  shown,
  UsageError,
  userFolder,
  userPath,
} from "../rl/cli/mod.ts";
import { downloadModel } from "../rl/hub/download.ts";
import { type Hub, isModelName, readHub } from "../rl/hub/hub.ts";
import { type BaseModel, digestBase, isFolder, modelFilesIn, readBase } from "../rl/pretrained/base.ts";
import { describeBase } from "../rl/pretrained/describe.ts";
import { installFiles, requireFree, type SourceFile } from "../rl/pretrained/install.ts";

/** Folder of imported models, from the repository's folder. */
const MODELS_FOLDER = "models";

const options = defineOptions({
  out: { type: "path", meaning: `folder to make; ${MODELS_FOLDER}/NAME when absent` },
  revision: { type: "string", default: "main", meaning: "branch, tag or commit on the hub" },
  base: {
    type: "string",
    meaning: "for an adapter: OWNER/NAME or folder of its model; as the adapter says when absent",
  },
  overwrite: { type: "boolean", default: false, meaning: "replace a model that is there" },
  json: { type: "boolean", default: false, meaning: "print what was found as JSON on stdout" },
});

/** The `import` command. */
export const importCommand: Command<typeof options> = {
  command: "./ponder import",
  summary: "Bring a pretrained vision-language model here: from the hub, or from a folder on disk.",
  examples: [
    "./ponder import HuggingFaceTB/SmolVLM-256M-Instruct",
    "./ponder import ~/downloads/SmolVLM-256M-Instruct --out models/smolvlm",
    "./ponder import my-adapter --base models/SmolVLM-256M-Instruct",
  ],
  options,
  positional: "OWNER/NAME|FOLDER",
  maxPositional: 1,
  async run({ values: { out, revision, base, overwrite, json }, positional: [source] }) {
    if (source === undefined) {
      throw new UsageError("Cannot import nothing: name OWNER/NAME on the hub, or a folder");
    }
    const name = source.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1)!;
    if (out === undefined && /^\.*$/.test(name)) {
      throw new UsageError(`Cannot name the model after ${shown(source)}: name its folder with --out`);
    }
    const models = userFolder() === Deno.cwd() ? MODELS_FOLDER : `${Deno.cwd()}/${MODELS_FOLDER}`;
    const target = out ?? `${models}/${name}`;
    if (!overwrite) await requireFree(target);
    const progress = new Progress();
    try {
      const files = await filesOf(await folderOf(source, revision, progress), { base, models, progress });
      let found: BaseModel | null = null;
      let digest = "";
      await installFiles(files, target, {
        overwrite,
        check: async (folder) => {
          found = await readBase(folder).catch((error: unknown) => {
            // The folder is one of ours for the moment; whoever reads the message knows the source.
            if (error instanceof Error) error.message = error.message.replaceAll(folder, source);
            throw error;
          });
          const report = (step: number, total: number) => progress.update({ stage: "checking", step, total });
          digest = await digestBase(folder, report);
        },
      });
      progress.close();
      const facts = describeBase(found!, digest);
      if (json) processConsole.out(JSON.stringify({ folder: target, ...facts.json }, null, 2) + "\n");
      else processConsole.out(`${printable(target)}: ${facts.text.map(printable).join("\n  ")}\n`);
      for (const warning of facts.warnings) console.error(warning);
      if (found!.talk !== null) {
        console.error(`Next: ./ponder train --model ${shellQuote(target)} --env NumberLine --lora`);
      }
    } finally {
      progress.close();
    }
  },
};

/** A model's folder, and whether its files are the hub's cache, which nobody changes. */
interface Source {
  readonly folder: string;
  readonly isCache: boolean;
}

/** The folder that a name stands for. */
async function folderOf(source: string, revision: string, progress: Progress): Promise<Source> {
  const path = userPath(source);
  if (await isFolder(path)) return { folder: path, isCache: false };
  if (await exists(path)) throw new UsageError(`Cannot import ${path}: it is a file, name its folder`);
  if (!isModelName(source)) {
    throw new UsageError(
      `Cannot import ${shown(source)}: there is no such folder, and a model on the hub is called OWNER/NAME`,
    );
  }
  const hub = await readHub((name) => Deno.env.get(name));
  return { folder: await download(hub, source, revision, progress), isCache: true };
}

async function download(hub: Hub, name: string, revision: string, progress: Progress): Promise<string> {
  const startMs = performance.now();
  let first: number | null = null;
  return await downloadModel(hub, name, {
    revision,
    onProgress: ({ file, done, total }) => {
      first ??= done;
      const elapsedMs = performance.now() - startMs;
      progress.update({
        stage: "download",
        step: done,
        total,
        fields: { file, "MB/s": ((done - first) / 1e3 / Math.max(1, elapsedMs)).toFixed(1) },
      });
    },
  });
}

/** The files of a model, or those of an adapter with its model's. */
async function filesOf(
  { folder, isCache }: Source,
  { base, models, progress }: { base: string | undefined; models: string; progress: Progress },
): Promise<SourceFile[]> {
  const names = await modelFilesIn(folder);
  const own = names.map((name) => ({ name, path: `${folder}/${name}`, isShared: isCache }));
  if (names.includes("config.json") || !names.includes("adapter_config.json")) {
    if (base !== undefined) {
      throw new UsageError(`Cannot use --base: ${folder} is no adapter alone, leave it out`);
    }
    return own;
  }
  const under = await baseOf(folder, { base, models, progress });
  const below = await modelFilesIn(under.folder);
  if (below.includes("adapter_config.json")) {
    throw new UsageError(
      `Cannot put an adapter on ${under.folder}: it has one already, name the model below with --base`,
    );
  }
  return [
    ...below.filter((name) => !names.includes(name)).map((name) => (
      { name, path: `${under.folder}/${name}`, isShared: under.isCache }
    )),
    ...own,
  ];
}

/** The model below an adapter. */
async function baseOf(
  adapter: string,
  { base, models, progress }: { base: string | undefined; models: string; progress: Progress },
): Promise<Source> {
  if (base !== undefined) return await folderOf(base, "main", progress);
  const { base_model_name_or_path: named } = (await readJson(`${adapter}/adapter_config.json`) ?? {}) as {
    base_model_name_or_path?: unknown;
  };
  if (typeof named === "string" && named !== "") {
    const places = [
      `${models}/${named.split(/[/\\]/).at(-1)}`,
      named.startsWith(".") ? `${adapter}/${named}` : named,
    ];
    for (const folder of places) if (await isReadable(folder)) return { folder, isCache: false };
  }
  throw new UsageError(
    `Cannot import ${adapter}: it is an adapter of ${
      typeof named === "string" ? shown(named) : "an unnamed model"
    }, name that with --base, as OWNER/NAME or its folder`,
  );
}

/** Is there such a folder, which this process may read? */
async function isReadable(folder: string): Promise<boolean> {
  try {
    return await isFolder(folder);
  } catch {
    return false;
  }
}

if (import.meta.main) Deno.exit(await runCommand(importCommand, Deno.args));
