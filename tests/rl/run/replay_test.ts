/** A recorded episode, computed again. */
import { assert, assertEquals } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { ppo } from "../../../rl/algorithms/mod.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { decodeRecorded, encodeRecorded, type RecordedLine } from "../../../rl/run/recorded.ts";
import { recordingFile } from "../../../rl/run/recording.ts";
import { compareEpisode, replayFile, type ReplaySettings } from "../../../rl/run/replay.ts";
import { gpuTest } from "../../gpu.ts";
import { TempFolder, tinyConfig, trainHere } from "../tiny_run.ts";

gpuTest(
  "every token and number of a recorded iteration and evaluation comes out the same when it is replayed",
  async (gpu) => {
    using temp = new TempFolder();
    const run = `${temp.path}/run`;
    const config = tinyConfig({ envSteps: 48, maxNewTokens: 14 });
    await trainHere(run, config);
    const settings: ReplaySettings = {
      ...{ gpu, config, environment: numberLine, algorithm: ppo as never },
      folder: await RunFolder.open(run),
      progress: { update: () => {}, note: () => {} },
      isStopped: () => false,
    };
    for (const  of of[3, "sft", "rl"] as const) {
      const recorded = decodeRecorded(Deno.readTextFileSync(`${run}/recording/${recordingFile(of)}`));
      const lines = (await replayFile(of, settings))!;
      for (const { episode } of recorded.episodes) {
        const { mismatches, tokens, turns, compared } = compareEpisode(recorded, lines, episode);
        assertEquals(mismatches, [], `${of}.${episode}`);
        assert(tokens >= turns.length && compared > 5 * tokens);
      }
      // What differs is found.
      const changed = lines.map((line): RecordedLine =>
        line.kind === "turn" && line.turn === recorded.turns[0].turn
          ? { ...line, logprobs: line.logprobs.map((value, t) => t === 1 ? value - 0.5 : value) }
          : line
      );
      const [found] = compareEpisode(recorded, changed, recorded.turns[0].episode).mismatches;
      assertEquals([found.field, found.token], ["logprobs", 1]);
      assert(encodeRecorded(lines).length > 0);
    }
  },
);
