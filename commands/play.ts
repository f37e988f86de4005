/**
 * `play`: shows one episode in the terminal, as the agent sees, thinks and acts.
 *
 * @module
 */
import type { EnvironmentDefinition, EnvironmentSettings } from "../envs/mod.ts";
import { modelPlace } from "../rl/pretrained/run_base.ts";
import { debugLevel } from "../kernels/gpu/mod.ts";
import type { Decision, Policy, Situation } from "../rl/policy.ts";
import {
  type Command,
  defineOptions,
  processConsole,
  runCommand,
  terminalColumns,
  terminalRows,
  wrapWords,
} from "../rl/cli/mod.ts";
import { agentOptions } from "../rl/agent.ts";
import { EVALUATION_SEEDS } from "../rl/evaluation.ts";
import { isSuccess, samplerState } from "../rl/rollout.ts";
import { renderToTerminal } from "./terminal_image.ts";
import { latestRun } from "../rl/run/latest.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { findRuns } from "../rl/watch/runs.ts";
import { DEFAULT_PORT, requireServing } from "../rl/watch/serve.ts";
import { serveRuns } from "./watch.ts";
import { requireReward } from "../rl/vector_env.ts";
import { withTrainedPolicy } from "./trained_policy.ts";

/** Delay between tokens on a terminal: about the speed of reading. */
const TOKEN_DELAY_MS = 60;
const MAX_FRAME_COLUMNS = 60;

/** Lines of a terminal that a step needs beside its frame: its number, a response of two lines, the action, blanks. */
const LINES_BESIDE_FRAME = 7;

const options = defineOptions({
  run: { type: "path", isRun: true, meaning: "run folder; the latest one under runs/ when absent" },
  env: { type: "string", meaning: "environment, by name or file; the run's when absent" },
  model: { type: "string", meaning: "where the run's pretrained model is now; where it was when absent" },
  seed: { type: "integer", default: 0, min: 0, max: 999_999, meaning: "which held-out episode" },
  greedy: { type: "boolean", default: false, meaning: "take the most probable token instead of sampling" },
  temperature: {
    type: "number",
    min: agentOptions.temperature.min,
    max: agentOptions.temperature.max,
    meaning: "divides the logits when sampling; the run's when absent",
  },
  delayMs: {
    type: "integer",
    min: 0,
    max: 10_000,
    unit: "ms",
    meaning: `pause after each token; ${TOKEN_DELAY_MS} on a terminal, else 0`,
  },
  json: { type: "boolean", default: false, meaning: "print a JSON object a step on stdout instead" },
  browser: {
    type: "boolean",
    default: false,
    meaning: "serve a page instead, in which you play against the model, or show it a picture",
  },
});

/** A step of the episode. */
export interface PlayedStep {
  /** Number of the step, from 1. */
  readonly step: number;
  /** The state that the action was taken in. */
  readonly situation: Situation;
  readonly prompt: string;
  readonly decision: Decision;
  /** Name of the action that was taken. */
  readonly action: string;
  /** Value estimate of the state, in units of return. */
  readonly value: number;
  readonly reward: number;
  /** Sum of rewards so far. */
  readonly episodeReturn: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
  readonly goalReached: boolean;
  /** Would the episode be a success if it ended here, by the environment's own measure? */
  readonly success: boolean;
}

/** What to play. */
export interface PlaySettings {
  readonly environment: EnvironmentDefinition;
  readonly envSettings?: EnvironmentSettings;
  /** Which held-out episode. `eval --seed 0` plays the same ones. */
  readonly seed: number;
  readonly greedy: boolean;
  readonly temperature: number;
  readonly maxNewTokens: number;
  /** The factor of rewards in training. Values are in units of scaled return; they are divided by it. */
  readonly rewardScale: number;
}

/** Plays a held-out episode step by step. The same seed gives the same episode. */
export async function* playEpisode(policy: Policy, settings: PlaySettings): AsyncGenerator<PlayedStep> {
  const { environment, envSettings, seed, greedy, temperature, maxNewTokens, rewardScale } = settings;
  const env = environment.make(envSettings);
  let state = env.reset({ seed: EVALUATION_SEEDS + seed });
  let episodeReturn = 0;
  for (let step = 1, isOver = false; !isOver; step++) {
    const situation = { env, info: state.info, observation: state.observation };
    const random = samplerState(1, EVALUATION_SEEDS + seed, (step - 1) * maxNewTokens);
    const [decision] = await policy.respond([situation], { temperature, greedy, maxNewTokens, random });
    await policy.gpu.settle();
    const action = decision.parse.action ?? env.randomAction();
    const result = env.step(action);
    const { reward, terminated, truncated, info } = result;
    requireReward(env, reward);
    episodeReturn += reward;
    yield {
      step,
      situation,
      prompt: env.prompt(situation.info, { cot: policy.cot }),
      decision,
      action: env.actions[action],
      value: decision.response.value / rewardScale,
      reward,
      episodeReturn,
      terminated,
      truncated,
      goalReached: info.goalReached,
      success: isSuccess(env, episodeReturn, info.goalReached),
    };
    state = result;
    isOver = terminated || truncated;
  }
}

/** Makes the object of one line of `--json`. */
export function stepAsJson(played: PlayedStep) {
  const { decision, situation } = played;
  return {
    step: played.step,
    prompt: played.prompt,
    state: situation.info,
    text: decision.decoding.text,
    action: played.action,
    parsed: decision.parse.action !== null,
    value: played.value,
    reward: played.reward,
    return: played.episodeReturn,
    perception: decision.judgement.perception,
    faithful: decision.judgement.faithful,
    terminated: played.terminated,
    truncated: played.truncated,
    goal_reached: played.goalReached,
    success: played.success,
  };
}

/** A terminal to show an episode on. */
export interface Screen {
  readonly write: (text: string) => void;
  /** Largest width of a frame in characters. */
  readonly columns: number;
  /** Largest height of a frame in lines; none when absent. */
  readonly frameLines?: number;
  /** Width at which text is broken between words; it is not when absent. */
  readonly textColumns?: number;
  readonly colors: boolean;
  /** Pause after each token, in milliseconds. */
  readonly delayMs: number;
}

/** Shows a step: the picture, the response as it was written, the action and the reward. */
export async function showStep(
  played: PlayedStep,
  { write, columns, frameLines = Infinity, textColumns = Infinity, colors, delayMs }: Screen,
): Promise<void> {
  const { decision: { decoding, parse }, situation } = played;
  const bold = styled(colors, 1), dim = styled(colors, 2), highlight = styled(colors, 1, 32);
  const { observation } = situation;
  // A character is twice as high as wide.
  const fitting = Math.max(1, Math.floor(frameLines * 2 * observation.width / observation.height));
  const picture = renderToTerminal(observation, Math.min(columns, fitting), { colors });
  // Without colours the background is blank. Blank lines at the margins are left out.
  write(`${bold(`Step ${played.step}`)}\n${colors ? picture : picture.replace(/^(?: *\n)+|\s+$/g, "\n")}\n`);
  // Breaking lines moves no character, so that the tokens keep their places.
  const text = wrapWords(decoding.text, textColumns);
  for (let i = 0; i < decoding.ends.length; i++) {
    const [from, to] = [decoding.starts[i], decoding.ends[i]];
    // The three parts of the token: before, in and after the action.
    const [start, end] = [parse.start, parse.end].map((at) => Math.min(Math.max(at, from), to));
    write(text.slice(from, start) + highlight(text.slice(start, end)) + text.slice(end, to));
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
  const action = parse.action === null
    ? `no action found, ${highlight(played.action)} drawn at random`
    : `action ${highlight(played.action)}`;
  write(`\n${dim("->")} ${action}   reward ${played.reward}   value ${played.value.toFixed(2)}\n\n`);
}

/** Says in one line how the episode ended, after its last step. */
export function formatEnd({ step, episodeReturn, goalReached, success, truncated }: PlayedStep): string {
  const how = goalReached
    ? "the goal was reached"
    : truncated
    ? "the step limit was reached"
    : "the goal was missed";
  const verdict = success ? "success" : "no success";
  return `Return ${episodeReturn} after ${step} ${step === 1 ? "step" : "steps"}: ${verdict}, ${how}.`;
}

function styled(colors: boolean, ...codes: number[]): (text: string) => string {
  return (text) => colors && text !== "" ? `\x1b[${codes.join(";")}m${text}\x1b[0m` : text;
}

/** The `play` command. */
export const playCommand: Command<typeof options> = {
  command: "./ponder play",
  summary: "Show one held-out episode in the terminal: what the agent sees, thinks, does and earns.",
  examples: [
    "./ponder play",
    "./ponder play --run runs/NumberLine-s0 --seed 3 --greedy",
    "./ponder play --json",
    "./ponder play --browser --env ./maze.ts",
  ],
  options,
  async run({ given, values: { run, seed, greedy, delayMs, json, browser } }) {
    if (browser) return await playInBrowser(run, given);
    const request = {
      run,
      given: { env: given.env, model: modelPlace(given.model), temperature: given.temperature },
    };
    await withTrainedPolicy(request, async ({ gpu, policy, environment, envSettings, config, label }) => {
      const isTerminal = Deno.stdout.isTerminal();
      const screen: Screen = {
        write: processConsole.out,
        columns: isTerminal ? Math.min(MAX_FRAME_COLUMNS, terminalColumns()) : MAX_FRAME_COLUMNS,
        ...isTerminal && {
          frameLines: Math.max(1, terminalRows() - LINES_BESIDE_FRAME),
          textColumns: terminalColumns(),
        },
        colors: isTerminal && !Deno.noColor,
        delayMs: delayMs ?? (isTerminal ? TOKEN_DELAY_MS : 0),
      };
      const how = greedy ? "greedy" : `sampled at temperature ${config.temperature}`;
      console.error(
        `${environment.name}, held-out episode ${seed}, ${how}: ${label} on ${gpu.adapterName}\n`,
      );
      const settings = {
        environment,
        envSettings,
        seed,
        greedy,
        temperature: config.temperature,
        maxNewTokens: config.maxNewTokens,
        rewardScale: config.rewardScale,
      };
      let last: PlayedStep | null = null;
      for await (const played of playEpisode(policy, settings)) {
        if (json) {
          screen.write(JSON.stringify(stepAsJson(played)) + "\n");
          continue;
        }
        // A prompt is shown again only if it differs, as in tasks whose prompts quote the state.
        if (played.prompt !== last?.prompt) {
          screen.write(`${wrapWords(played.prompt, screen.textColumns ?? Infinity)}\n\n`);
        }
        await showStep(played, screen);
        last = played;
      }
      if (last !== null) screen.write(formatEnd(last) + "\n");
    });
    return 0;
  },
};

/** Serves the page of `watch` for one run, at the view that plays. */
async function playInBrowser(
  run: string | undefined,
  { env, model }: { readonly env?: string; readonly model?: string },
): Promise<number> {
  const path = run ?? await latestRun();
  const environments = env === undefined ? [] : [await loadEnvironment(env)];
  await findRuns([path]);
  await requireServing();
  await serveRuns({
    ...{ folders: [path], environments, model: modelPlace(model), port: DEFAULT_PORT },
    told: (url) => `Play against ${path} at ${url}#/play`,
  });
  return 0;
}

if (import.meta.main) Deno.exit(await runCommand(playCommand, Deno.args, { debug: debugLevel > 0 }));
