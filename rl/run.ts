/**
 * A training run from start to end: warm start, perception gate, RL, evaluation.
 *
 * @module
 */
import { NotFiniteError } from "../kernels/gpu/mod.ts";
import { formatShare } from "./cli/mod.ts";
import type { TrainConfig } from "./config.ts";
import { evaluationEnvSettings, trainingEnvSettings } from "./env_settings.ts";
import { eventLoopTurn } from "./event_loop.ts";
import { evaluate, evaluateBoth, type Evaluation } from "./evaluation.ts";
import { peakMemory } from "./memory.ts";
import { rolloutMetrics } from "./metrics.ts";
import { ppoIteration } from "./ppo.ts";
import { isJudged } from "./requirements.ts";
import { collectRollout, VectorEnv } from "./rollout.ts";
import { Run, type RunContext, type RunResult } from "./run_state.ts";
import { rlOptimizer } from "./setup.ts";
import { demonstrate, sftBatch, sftLearningRate, sftUpdate } from "./sft.ts";
import { Stopped } from "./stop.ts";

/** RL iterations between checkpoints. */
const CHECKPOINT_INTERVAL = 6;
/** SFT updates between checkpoints. */
const SFT_CHECKPOINT_INTERVAL = 100;
/** SFT updates between looks at perception once the planned ones are done. */
const GATE_INTERVAL = 50;
const GATE_EPISODES = 64;

/** Trains as `config` says, or goes on from the folder's checkpoint when `config.resume`. */
export async function runTraining(config: TrainConfig, context: RunContext): Promise<RunResult> {
  const run = await Run.open(config, context);
  try {
    if (run.state.stage === "sft") await warmStart(run);
    if (run.state.stage === "rl") await reinforce(run);
    run.afterRl = await evaluateAfter(run, "rl");
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    await run.save();
  }
  return run.result;
}

/** SFT until the pictures are read, then evaluation and RL's optimiser. */
async function warmStart(run: Run): Promise<void> {
  const { config, agent } = run;
  const isPassed = await run.timed("sft", () => sftToGate(run));
  if (!isPassed) {
    await run.save();
    throw new Error(
      `Cannot begin RL: perception stayed under ${config.perceptionGate} for ${run.state.sftUpdates} SFT updates, ` +
        "begin again with --overwrite and more --demonstrations or --perception-extra-steps, or a lower --perception-gate",
    );
  }
  run.afterSft = await evaluateAfter(run, "sft");
  run.optimizer.dispose();
  run.optimizer = rlOptimizer(agent.vlm, config);
  run.advance({ stage: "rl" });
  await run.save("warm_start");
  await run.save();
}

/** The planned updates, then more until the gate is passed. False when it never is. */
async function sftToGate(run: Run): Promise<boolean> {
  const { config, agent, environment } = run;
  const total = config.demonstrations;
  const demonstrations = await demonstrate(agent, environment, config, (step) => {
    run.throwIfStopped();
    run.progress.update({ stage: "demonstrations", step, total });
  });
  const longest = demonstrations.reduce((most, { response }) => Math.max(most, response.length), 0);
  if (longest > config.maxNewTokens) {
    run.progress.note(
      `Demonstrations have up to ${longest} tokens, but responses are cut at ${config.maxNewTokens}: ` +
        `what comes later is never acted on, use --max-new-tokens ${longest}`,
    );
  }
  // Without a judge nobody can tell how well pictures are read.
  const hasGate = config.cot && isJudged(environment);
  const most = config.sftSteps + (hasGate ? config.perceptionExtraSteps : 0);
  while (true) {
    await eventLoopTurn();
    run.throwIfStopped();
    const { sftUpdates } = run.state;
    const extra = sftUpdates - config.sftSteps;
    const isLookDue = extra >= 0 && extra % GATE_INTERVAL === 0 || sftUpdates >= most;
    if (hasGate && isLookDue && await passesGate(run)) return true;
    if (sftUpdates >= most) return !hasGate;
    await sftStep(run, sftBatch(demonstrations, sftUpdates, config));
    if (run.state.sftUpdates % SFT_CHECKPOINT_INTERVAL === 0) await run.save();
  }
}

/** Looks at perception. */
async function passesGate(run: Run): Promise<boolean> {
  const { config, state: { sftUpdates: update } } = run;
  const perception = await perceptionOf(run);
  run.log({ stage: "gate", update, perception });
  if (perception >= config.perceptionGate) return true;
  run.progress.note(
    `perception ${formatShare(perception)} after ${update} updates, the gate is at ${config.perceptionGate}`,
  );
  return false;
}

/** One update on demonstrations. */
async function sftStep(run: Run, batch: ReturnType<typeof sftBatch>): Promise<void> {
  const { config, agent, state: { sftUpdates } } = run;
  const learningRate = sftLearningRate(sftUpdates, config);
  const update = sftUpdates + 1;
  const metrics = await naming(
    `SFT update ${update}`,
    sftUpdate(agent, run.optimizer, batch, learningRate),
  );
  peakMemory();
  run.log({ stage: "sft", update, learningRate, ...metrics });
  run.progress.update({
    stage: "sft",
    step: update,
    total: config.sftSteps + (update > config.sftSteps ? config.perceptionExtraSteps : 0),
    fields: { loss: metrics.sftLoss.toFixed(3) },
    leftMs: run.work.left("sft", update / config.sftSteps),
  });
  run.advance({ sftUpdates: update });
}

/** RL to its last iteration. */
async function reinforce(run: Run): Promise<void> {
  const { config, environment } = run;
  const vectorEnv = new VectorEnv(
    environment,
    config.envs,
    config.seed,
    trainingEnvSettings(environment, config),
  );
  if (run.state.slots.length > 0) vectorEnv.restore(run.state.slots, run.state.episodes);
  const iterations = Math.ceil(config.envSteps / (config.envs * config.rolloutSteps));
  await run.timed("rl", async () => {
    while (run.state.iteration < iterations) {
      await eventLoopTurn();
      run.throwIfStopped();
      await rlIteration(run, vectorEnv, iterations);
      run.advance(vectorEnv.save());
      if (run.state.iteration % CHECKPOINT_INTERVAL === 0) await run.save();
    }
  });
  run.advance({ stage: "done" });
  await run.save();
}

/** Collect, improve, log. */
async function rlIteration(run: Run, vectorEnv: VectorEnv, iterations: number): Promise<void> {
  const { config, agent, effort, state: { iteration } } = run;
  const startMs = performance.now();
  const rollout = await collectRollout(agent, vectorEnv, {
    ...config,
    steps: config.rolloutSteps,
    stepsBefore: iteration * config.rolloutSteps,
  });
  effort.rollout += (performance.now() - startMs) / 1e3;
  effort.rolloutTokens += rollout.transitions.reduce((sum, { response }) => sum + response.length, 0);
  const learningRate = config.learningRate * (1 - 0.9 * iteration / iterations);
  const done = iteration + 1;
  const update = await naming(
    `RL iteration ${done}`,
    ppoIteration(agent.vlm, run.optimizer, rollout, { config, iteration, learningRate }),
  );
  const metrics = rolloutMetrics(rollout, agent.tokenizer);
  const thoughtAlarm = config.cot ? run.thoughtAlarm.check(metrics) : [];
  const warning = run.thoughtAlarm.note(done, metrics, thoughtAlarm);
  if (warning !== null) run.progress.note(warning);
  const stepsPerIteration = config.envs * config.rolloutSteps;
  const envSteps = done * stepsPerIteration;
  run.log({ stage: "rl", iteration: done, envSteps, learningRate, ...metrics, thoughtAlarm, ...update });
  run.progress.update({
    stage: "rl",
    step: envSteps,
    total: iterations * stepsPerIteration,
    fields: {
      success: metrics.success === null ? "-" : formatShare(metrics.success),
      parsed: formatShare(metrics.parseRate),
      "tok/s": (effort.rolloutTokens / effort.rollout).toFixed(0),
    },
    leftMs: run.work.left("rl", done / iterations),
  });
  run.advance({ iteration: done });
}

/** Sampling and greedy decoding on held-out episodes. */
function evaluateAfter(run: Run, after: "sft" | "rl"): Promise<Evaluation> {
  const { config, environment } = run;
  const stage = `evaluation after ${after}` as const;
  const total = 2 * config.evalEpisodes;
  return run.timed("evaluation", async () => {
    const evaluation = await evaluateBoth(run.agent, {
      environment,
      envSettings: evaluationEnvSettings(environment, config),
      episodes: config.evalEpisodes,
      seed: 0,
      temperature: config.temperature,
      maxNewTokens: config.maxNewTokens,
      onProgress: (step) => {
        run.throwIfStopped();
        run.progress.update({ stage, step, total, leftMs: run.work.left(stage, step / total) });
      },
    });
    run.log({ stage: "evaluation", after, ...evaluation });
    return evaluation;
  });
}

/** Awaits a step; an error about NaN or infinity is thrown on with the step's name. */
async function naming<T>(step: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error;
    throw new NotFiniteError(`Cannot go on at ${step}: ${error.message}`, { cause: error });
  }
}

/** Share of picture fields that greedy responses read correctly, on held-out seeds of their own. */
async function perceptionOf({ agent, config, environment }: Run): Promise<number> {
  const { perception } = await evaluate(agent, {
    environment,
    envSettings: evaluationEnvSettings(environment, config),
    episodes: GATE_EPISODES,
    seed: 1,
    greedy: true,
    temperature: config.temperature,
    maxNewTokens: config.maxNewTokens,
  });
  return perception ?? 0;
}
