/** A run folder that no run wrote: as long as one likes, in no time. */
import { numberLine, Random } from "../../../envs/mod.ts";
import { boxDownsample, encodePicture } from "../../../rl/image.ts";

import type { RecordedLine, RecordedTurn } from "../../../rl/run/recorded.ts";
import { Recording, recordingFile } from "../../../rl/run/recording.ts";

/** How long it is. */
export interface SyntheticRun {
  readonly iterations: number;
  /** Recorded iterations, spread over all; each has two episodes of up to four turns. */
  readonly recorded: number;
  readonly seed?: number;
  /** What every response says before its action. */
  readonly thought?: string;
}

const SPLIT = /"action"/;

/** Writes one. Returns how many responses it recorded. */
export async function writeSyntheticRun(
  path: string,
  { iterations, recorded, seed = 0, thought = "so it goes" }: SyntheticRun,
): Promise<number> {
  await Deno.mkdir(`${path}/recording`, { recursive: true });
  const random = new Random(seed, "synthetic run");
  const settings = { env: "NumberLine", algorithm: "ppo", policy: "vlm", preset: "nano", seed, gamma: 0.9 };
  await Deno.writeTextFile(
    `${path}/config.json`,
    JSON.stringify({ ...settings, envSettings: [], trainingSettings: [] }),
  );
  const lines: string[] = [];
  for (let update = 1; update <= 50; update++) {
    lines.push(JSON.stringify({ stage: "sft", update, learningRate: 1e-3, sftLoss: 3 / update }));
  }
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const share = iteration / iterations;
    const noise = () => (random.float() - 0.5) / 10;
    lines.push(JSON.stringify({
      ...{ stage: "rl", iteration, envSteps: 256 * iteration, learningRate: 1e-4, episodes: 80 },
      ...{ success: Math.min(1, Math.max(0, share + noise())), meanReturn: share + noise(), parseRate: 1 },
      ...{
        perception: 1,
        faithfulness: share,
        responseTokens: 12,
        thoughtDiversity: 1,
        // Differs by rounding alone.
        thoughtInformation: iteration % 2 === 0 ? 1 : 0.9999999999999998,
      },
      ...{ thoughtAlarm: [], policyLoss: noise(), valueLoss: 1 - share, entropy: 1 - share, kl: 0.01 },
      ...{ clipFraction: 0.1, firstRatioError: 1e-6, gradientNorm: 1, updates: 8, advantageStd: 0.5 },
    }));
  }
  await Deno.writeTextFile(`${path}/metrics.jsonl`, lines.join("\n") + "\n");
  const recording = new Recording(`${path}/recording`, 1e9);
  let responses = 0;
  for (let i = 1; i <= recorded; i++) {
    const iteration = Math.max(1, Math.round(i * iterations / recorded));
    const { lines, turns } = recordedLines(recording, iteration, seed, thought);
    recording.add(recordingFile(iteration), lines);
    responses += turns;
  }
  return responses;
}

function recordedLines(recording: Recording, iteration: number, seed: number, thought: string) {
  const lines: RecordedLine[] = [{
    ...{
      kind: "header",
      format: 1,
      stage: "rl",
      iteration,
      actions: ["-", "+"],
      lambda: 0.5,
      temperature: 0.4,
    },
    objective: { ratio: "response", clipLow: 0.2, clipHigh: 0.2 },
    turns: 256,
    histograms: {
      advantage: { min: -2, max: 2, counts: [1, 4, 9, 16, 9, 4, 1] },
      valueTarget: { min: -1, max: 1, counts: [1, 2, 3, 4] },
      episodeReturn: { min: -1, max: 1, counts: [10, 40] },
      ratio: { min: 0.7, max: 1.4, counts: [2, 20, 40, 20, 2] },
    },
    minibatches: [0.001, 0.01, 0.05].map((kl) => ({ kl, clipFraction: kl * 4, policyLoss: 0.1 })),
    ...{ plannedUpdates: 8, klStop: 0.04, seconds: { rollout: 0.5, update: 1.2, record: 0.03 } },
    prompts: ["You are playing a game called number line."],
    grid: [4, 4],
  }];
  let turns = 0;
  for (const episode of [0, 1]) {
    const env = numberLine.make();
    const deal = seed * 1_000_000 + 2 * iteration + episode;
    env.reset({ seed: deal });
    const own: RecordedTurn[] = [];
    let total = 0;
    for (let turn = 0, isOver = false; !isOver && turn < 4; turn++) {
      const action = (turn + episode) % 3 === 2 ? 1 - env.solve() : env.solve();
      const picture = recording.addPicture(
        encodePicture({ width: 64, height: 64, data: boxDownsample(env.current().observation, 64) }),
      );
      const base = turnOf(
        episode,
        turn,
        env.stateKey(),
        picture,
        `{"thoughts": "${thought}", "action": "${env.actions[action]}"}`,
      );
      const { reward, terminated, truncated } = env.step(action);
      total += reward;
      isOver = terminated || truncated;
      own.push({ ...base, action, reward, terminated, truncated });
    }
    const isEnded = own.at(-1)!.terminated || own.at(-1)!.truncated;
    const outcome = isEnded
      ? { episodeReturn: total, steps: own.length, goalReached: total > 0, success: total > 0 }
      : null;
    lines.push({ kind: "episode", episode, deal, before: [], turns: own.length, outcome }, ...own);
    lines.push({ ...own[0], kind: "other", advantage: -0.4, reward: -1 });
    turns += own.length;
  }
  return { lines, turns };
}

function turnOf(episode: number, turn: number, state: string, picture: string, text: string): RecordedTurn {
  const at = text.search(SPLIT);
  const starts = [0, 14, at, text.length - 3, text.length - 2, text.length];
  const ends = [...starts.slice(1), text.length];
  const tokens = [4, 8, 15, 16, 23, 2];
  const logprobs = [0, -0.01, -0.5, -1.2, -0.001, 0];
  return {
    ...{ kind: "turn", episode, turn, state, prompt: 0, picture, text, tokens, starts, ends, logprobs },
    after: logprobs.map((value) => value / 2),
    entropies: [0, 0.05, 0.7, 0.69, 0.01, 0],
    weights: [0.5, 0.5, 1, 1, 1, 1],
    ...{ advantage: 0.8 - turn / 2, valueTarget: 0.5, weight: 1, ratio: 1.3, clipped: turn === 0 },
    alternatives: tokens.map((id, t) =>
      [[id, t === tokens.length - 1 ? "" : "this", 0.75], [id + 1, "that", 0.25]] as const
    ),
    attention: btoa(
      String.fromCharCode(
        ...tokens.flatMap((_, t) => Array.from({ length: 16 }, (_, p) => (37 * (t + p)) & 255)),
      ),
    ),
    imageShare: [0.6, 0.5, 0.4, 0.3, 0.2, 0.1],
    ...{ parsed: true, actionSpan: [text.length - 3, text.length - 2], action: 1, reward: 0, value: 0.1 },
    ...{ terminated: false, truncated: false, perception: 1, faithful: turn !== 2, random: [1, 2] },
  };
}
