/**
 * One file that shows runs without a server.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import { decodeRecorded } from "../run/recorded.ts";
import { entriesAt, readRecordedFile, readRecordedText, RECORDING_FOLDER } from "../run/recording.ts";
import { replayOf, type ReplayTold } from "../run/replayed.ts";
import { sha256Base64 } from "./hash.ts";
import { listRecording } from "./recordings.ts";
import { type FoundRun, requirePlainFile } from "./runs.ts";
import { base64, playScene } from "./scenes.ts";
import { type PageFiles, stageOf, tellRun } from "./site.ts";
import type { ExportedPage, SceneTold } from "./wire.ts";

/** Recorded files of a run that an exported page holds at most: the evaluations, the first and the newest, and some between. */
const MAX_FILES = 60;

/** The page with its script, style and data in it. */
export async function exportPage(
  page: PageFiles,
  runs: readonly FoundRun[],
  environments?: readonly EnvironmentDefinition[],
): Promise<string> {
  const data: ExportedPage = { runs: await Promise.all(runs.map((run) => exportRun(run, environments))) };
  const script = page["page.js"].replaceAll("</script", "<\\/script");
  const style = page["page.css"].replaceAll("</style", "<\\/style");
  const policy = `default-src 'none'; script-src '${await sha256Base64(
    script,
  )}'; style-src '${await sha256Base64(
    style,
  )}'; img-src data: blob:; base-uri 'none'; form-action 'none'`;
  return page["index.html"]
    .replace('<link rel="stylesheet" href="page.css">', () => `<style>${style}</style>`)
    .replace(
      '<meta charset="utf-8">',
      () => `<meta charset="utf-8">\n    <meta http-equiv="content-security-policy" content="${policy}">`,
    )
    .replace(
      '<script type="module" src="page.js"></script>',
      // No text of a model can end the element.
      () =>
        `<script type="application/json" id="data">${
          JSON.stringify(data).replaceAll("<", "\\u003c")
        }</script>`,
    )
    .replace("</body>", () => `<script type="module">${script}</script>\n  </body>`);
}

async function exportRun(
  run: FoundRun,
  environments?: readonly EnvironmentDefinition[],
): Promise<ExportedPage["runs"][number]> {
  const told = await tellRun(run, environments);
  const folder = `${run.path}/${RECORDING_FOLDER}`;
  const names = chosenFiles(entriesAt(folder).filter((name) => name.endsWith(".jsonl")));
  const stage = stageOf(told.settings, environments);
  const files: Record<string, string> = {};
  const scenes: Record<string, SceneTold> = {};
  const replays: Record<string, ReplayTold> = {};
  const pictures: Record<string, string> = {};
  for (const name of names) {
    try {
      const text = readRecordedText(run.path, name);
      const recorded = decodeRecorded(text);
      files[name] = text;
      for (const { episode } of recorded.episodes) {
        const scene = stage && playScene(recorded, episode, stage);
        if (scene) scenes[`${name}/${episode}`] = scene;
        const replay = replayOf(run.path, { file: name, episode, text });
        if (replay) replays[`${name}/${episode}`] = replay;
      }
      for (const { picture } of recorded.turns) {
        if (picture !== null && pictures[picture] === undefined) {
          pictures[picture] = base64(readRecordedFile(run.path, picture));
        }
      }
    } catch {
      // Damaged, or dropped meanwhile: the list says so.
    }
  }
  const recording = await listRecording(run.path);
  const metrics = await readMetricsText(run.path).catch(() => "");
  return {
    told,
    metrics: metrics.slice(0, metrics.lastIndexOf("\n") + 1),
    recording: {
      ...recording,
      episodes: recording.episodes.filter(({ file }) => Object.hasOwn(files, file)),
      iterations: recording.iterations.filter((_, i) => i >= 0),
    },
    ...{ files, scenes, replays, pictures },
  };
}

async function readMetricsText(run: string): Promise<string> {
  await requirePlainFile(`${run}/metrics.jsonl`);
  return await Deno.readTextFile(`${run}/metrics.jsonl`);
}

/** The evaluations, and iterations spread over all, ends included. */
function chosenFiles(names: readonly string[]): string[] {
  const evaluations = names.filter((name) => name.startsWith("after-"));
  const iterations = names.filter((name) => !name.startsWith("after-"));
  const room = MAX_FILES - evaluations.length;
  if (iterations.length <= room) return [...names];
  const spread = Array.from(
    { length: room },
    (_, i) => iterations[Math.round(i * (iterations.length - 1) / (room - 1))],
  );
  return [...evaluations, ...spread];
}
