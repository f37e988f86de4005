/** Responses, formulas, settings, flags, config files, metrics and run folders. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { ENV_NAMES, findEnvironment, makeEnv } from "../../envs/mod.ts";
import { evaluateFormula, formulaEquals } from "../../envs/points/formula.ts";
import { parseOptions, UsageError } from "../../rl/cli/mod.ts";
import { resolveConfig, settingsOf, trainOptions } from "../../rl/config.ts";
import { readEnvSettings } from "../../rl/env_settings.ts";
import { RunFolder } from "../../rl/run/folder.ts";
import { readRunSettings } from "../../rl/run/trained.ts";
import { damaged, damagedBytes, damagedText, fuzz, oddJson, oddText } from "./fuzz.ts";

for (const name of ENV_NAMES) {
  const env = makeEnv(name);
  const { info } = env.reset({ seed: 1 });
  const good = env.actions.slice(0, 30).map((action) => `{\n"thoughts": "x",\n"action": "${action}"\n}`);
  fuzz(`responses in ${name}`, damagedText([...good, env.prompt(info, { cot: true })]), (text) => {
    const { action, start, end } = env.parse(text);
    assert(action === null || action >= 0 && action < env.actions.length, `action ${action}`);
    assert(action === null || 0 <= start && start <= end && end <= text.length, `span ${start} to ${end}`);
    env.judge(text);
  });
  fuzz(
    `settings of ${name}`,
    fc.dictionary(
      fc.constantFrom("seed", "target", "maxPosition", "faceValue", "natural", "mode", "x"),
      oddJson,
    ),
    (settings) => void makeEnv(name, settings as Record<string, never>).reset({ seed: 1 }),
  );
}

const formulaPart = fc.oneof(fc.constantFrom(..."0123456789+-*/()= ", "**", "10", "24", "J", ".5"), oddText);
fuzz("formulas", fc.array(formulaPart, { maxLength: 40 }), (parts) => {
  const formula = parts.join("");
  evaluateFormula(formula);
  formulaEquals(formula, 24);
});
fuzz("formulas of many brackets", fc.nat(100_000), (depth) => {
  evaluateFormula("(".repeat(depth) + "1" + ")".repeat(depth));
}, { runs: 20, share: 0.01 });

fuzz(
  "environment settings as flags",
  fc.tuple(
    fc.constantFrom(...ENV_NAMES),
    fc.array(fc.oneof(oddText, oddText.map((text) => `target=${text}`))),
  ),
  ([name, items]) => void readEnvSettings(findEnvironment(name), items),
  { refusal: /^(Cannot|Environment settings) / },
);

const flags = Object.keys(trainOptions).map((name) =>
  `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`
);
const argument = fc.oneof(
  fc.constantFrom(
    ...flags,
    "--help",
    "--no-cot",
    "--config",
    "-h",
    "--",
    "--_",
    "-",
    "=",
    "0",
    "1e9",
    "NaN",
    "true",
  ),
  fc.tuple(fc.constantFrom(...flags), oddText).map(([flag, text]) => `${flag}=${text}`),
  oddText,
);
fuzz("command lines", fc.array(argument, { maxLength: 6 }), (args) => {
  try {
    parseOptions(args, trainOptions);
  } catch (error) {
    // What is wrong with a flag is said of the flag; the command's help follows.
    if (!(error instanceof UsageError)) throw error;
  }
}, { runs: 500 });

const files = { path: "" };

/** A folder that the files of one case are written to. */
function caseFolder(): string {
  files.path ||= Deno.makeTempDirSync({ prefix: "ponder_fuzz_" });
  return files.path;
}

const runConfig = JSON.parse(JSON.stringify(settingsOf(resolveConfig({}, findEnvironment("NumberLine")))));
fuzz(
  "a run's config.json",
  fc.oneof(damaged(runConfig), oddJson).map((json) => JSON.stringify(json) ?? ""),
  async (text) => {
    const path = caseFolder();
    Deno.writeTextFileSync(`${path}/config.json`, text);
    const { settings, algorithm } = await readRunSettings(await RunFolder.open(path));
    resolveConfig(settings, findEnvironment("NumberLine"), algorithm ?? undefined);
  },
  { share: 0.05, refusal: /^(Cannot|Unknown) / },
);

const lines = [
  '{"stage":"sft","update":1,"loss":2.5}',
  '{"stage":"rl","iteration":1,"kl":null}',
  '{"stage":"evaluation","after":"sft"}',
].join("\n") + "\n";
fuzz(
  "lines of metrics.jsonl",
  damagedBytes(new TextEncoder().encode(lines)),
  async (bytes) => {
    const path = caseFolder();
    Deno.writeTextFileSync(`${path}/config.json`, "{}");
    Deno.writeFileSync(`${path}/metrics.jsonl`, bytes);
    const folder = await RunFolder.open(path);
    await folder.readMetrics();
  },
  { share: 0.05 },
);

Deno.test("fuzz: the case's folder is removed", () => {
  if (files.path) Deno.removeSync(files.path, { recursive: true });
});
