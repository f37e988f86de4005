/**
 * Reads the recording of a run, file by file. Damaged files are named, and the others are read all the same.
 *
 * @module
 */
import { commandLine } from "../cli/mod.ts";
import { decodeRecorded, type Recorded } from "../run/recorded.ts";
import { entriesAt, readRecordedText, RECORDING_FOLDER } from "../run/recording.ts";
import type { EpisodeListed, FileFault, RecordingTold } from "./wire.ts";

/** The episodes of each file, kept as long as it does not change. */
const listed = new Map<string, { key: string; episodes: EpisodeListed[] } | { key: string; fault: string }>();

/** Lists all episodes that a run recorded, the newest last. */
export async function listRecording(run: string): Promise<RecordingTold> {
  const folder = `${run}/${RECORDING_FOLDER}`;
  const episodes: EpisodeListed[] = [];
  const iterations: number[] = [];
  const faults: FileFault[] = [];
  for (const file of entriesAt(folder)) {
    if (file.endsWith(".png")) continue;
    const path = `${folder}/${file}`;
    const stat = await Deno.stat(path).catch(() => null);
    if (stat === null) continue; // dropped meanwhile
    const key = `${stat.size} ${stat.mtime?.getTime()}`;
    let known = listed.get(path);
    if (known?.key !== key) {
      try {
        known = { key, episodes: listEpisodes(file, decodeRecorded(readRecordedText(run, file))) };
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        known = { key, fault: (error as Error).message };
      }
      listed.set(path, known);
    }
    if ("fault" in known) {
      const remedy = `; ${commandLine("check", [run, "--restore"])} removes it`;
      faults.push({ file: `${RECORDING_FOLDER}/${file}`, state: known.fault + remedy });
    } else {
      episodes.push(...known.episodes);
      if (file.startsWith("rl-")) iterations.push(known.episodes[0]?.iteration ?? Number(file.slice(3, -6)));
    }
  }
  const rank = ({ stage, after, iteration }: EpisodeListed) =>
    stage === "rl" ? iteration : after === "sft" ? 0 : Infinity;
  episodes.sort((a, b) => rank(a) === rank(b) ? a.episode - b.episode : rank(a) - rank(b));
  return { episodes, iterations, faults };
}

function listEpisodes(file: string, { header, episodes, turns }: Recorded): EpisodeListed[] {
  return episodes.map(({ episode, outcome, how = null }) => {
    const own = turns.filter((turn) => turn.kind === "turn" && turn.episode === episode);
    const advantages = own.flatMap(({ advantage }) => advantage ?? []);
    return {
      ...{
        file,
        stage: header.stage,
        iteration: header.iteration,
        after: header.after ?? null,
        how,
        episode,
      },
      turns: own.length,
      success: outcome?.success ?? null,
      episodeReturn: outcome?.episodeReturn ?? null,
      unparsed: own.filter(({ parsed }) => !parsed).length,
      unfaithful: own.filter(({ faithful }) => faithful === false).length,
      advantage: advantages.length === 0
        ? null
        : advantages.reduce((most, each) => Math.abs(each) > Math.abs(most) ? each : most),
      text: (own[0]?.text ?? "").slice(0, 200),
    };
  });
}
