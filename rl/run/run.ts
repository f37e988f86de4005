/**
 * A training run from start to end: warm start, perception gate, RL, evaluation.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import { type Gpu, NotFiniteError } from "../../kernels/gpu/mod.ts";
import { type Collection, learn, type LearnContext } from "../algorithms/mod.ts";
import { formatShare } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { evaluationEnvSettings, trainingEnvSettings } from "../env_settings.ts";
import { eventLoopTurn } from "../event_loop.ts";
import { evaluate, evaluateBoth, type Evaluation } from "../evaluation.ts";
import { peakMemory } from "../memory.ts";
import { rolloutMetrics } from "../metrics.ts";
import { isJudged } from "../requirements.ts";
import { reference, tokenValues } from "../reference.ts";
import { type Collector, episodesCollector, stepsCollector } from "./collectors.ts";
import { CHECKPOINT_INTERVAL, StaleCollector } from "./stale.ts";
import { Run, type RunContext, type RunResult } from "./state.ts";
import { rlOptimizer } from "../optimizers.ts";
import { demonstrate, thinking } from "../demonstrations.ts";
import { sftBatch, sftLearningRate, sftUpdate } from "../sft.ts";
import { Stopped } from "./stop.ts";
import { faithfulnessWarning } from "../thought_alarm.ts";

/** SFT updates between checkpoints. */
const SFT_CHECKPOINT_INTERVAL = 100;
/** SFT updates from one look at perception to the next, after the planned updates. */
const GATE_INTERVAL = 50;

/**
 * Trains as `config` says. With `config.resume` it goes on from the folder's checkpoint. It returns once the GPU is known to
 * have done all the work.
 *
 * @throws {NotFiniteError} when a loss, a weight or what the policy says is not finite.
 * @throws {DeviceLostError | OutOfMemoryError | SubmissionError} for a fault of the GPU; the checkpoint from before it stays.
 */
export async function runTraining(config: CommonSettings, context: RunContext): Promise<RunResult> {
  try {
    const run = await Run.open(config, context);
    try {
      if (run.state.stage === "sft") await warmStart(run);
      if (run.state.stage === "rl") await reinforce(run);
      run.afterRl = await evaluateAfter(run, "rl");
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      // Between checkpoints a stale run has episodes under way that later weights would play otherwise.
      const isWhole = config.staleness === 0 || run.state.iteration % CHECKPOINT_INTERVAL === 0;
      if (run.state.stage !== "rl" || isWhole) await run.save();
    }
    return run.result;
  } catch (error) {
    throw await causeOf(error, context.gpu);
  }
}

/** The error to throw. A fault of the GPU shows first as results that make no sense; if there is one, it is the cause. */
async function causeOf(error: unknown, gpu: Gpu): Promise<unknown> {
  try {
    await gpu.settle();
    return error;
  } catch (fault) {
    if (fault instanceof Error && fault !== error) fault.cause ??= error;
    return fault;
  }
}

/** SFT until the perception gate is passed, then an evaluation and RL's optimiser. */
async function warmStart(run: Run): Promise<void> {
  const { config, policy } = run;
  if (config.demonstrations === 0) {
    run.progress.note(
      "No warm start: RL begins from noise, so that it first has to find by chance what pays and how an action is written",
    );
  }
  const isPassed = config.demonstrations === 0 || await run.timed("sft", () => sftToGate(run));
  if (!isPassed) {
    await run.save();
    throw new Error(
      `Cannot begin RL: perception stayed under ${config.perceptionGate} for ${run.state.sftUpdates} SFT updates, ` +
        "begin again with --overwrite and more --demonstrations or --perception-extra-steps, or a lower --perception-gate",
    );
  }
  if (config.demonstrations > 0) {
    // Saving comes before the evaluation: weights that are not finite are refused here, and never evaluated.
    await run.save();
    run.afterSft = await evaluateAfter(run, "sft");
    const { parseRate } = run.afterSft.greedy;
    if (parseRate < 0.5) {
      run.progress.note(
        `After the warm start an action was found in ${
          formatShare(parseRate)
        } of the responses: RL begins with random actions; ` +
          "train longer (--sft-steps), or let responses be longer (--max-new-tokens)",
      );
    }
  }
  run.optimizer.dispose();
  run.optimizer = rlOptimizer(policy, config);
  run.advance({ stage: "rl" });
  await run.save("warm_start");
  await run.save();
}

/** Does the planned updates, then more until the gate is passed. Returns false if it never is. */
async function sftToGate(run: Run): Promise<boolean> {
  const { config, environment, policy } = run;
  const total = config.demonstrations;
  const demonstrations = await demonstrate(policy, environment, config, (step) => {
    run.throwIfStopped();
    run.progress.update({ stage: "demonstrations", step, total });
  });
  run.progress.update({ stage: "demonstrations", step: total, total });
  const longest = demonstrations.reduce((most, { response }) => Math.max(most, response.length), 0);
  if (longest > config.maxNewTokens) {
    run.progress.note(
      `Demonstrations have up to ${longest} tokens, but responses are cut at ${config.maxNewTokens}: ` +
        `what comes later is never acted on, use --max-new-tokens ${longest}`,
    );
  }
  // Only an environment with a judge can say how well pictures are read.
  const hasGate = (policy.cot || config.sftThoughts) && isJudged(environment);
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

/** Measures perception and says whether it reaches the gate. */
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
  const { config, policy, state: { sftUpdates } } = run;
  const learningRate = sftLearningRate(sftUpdates, config);
  const update = sftUpdates + 1;
  const metrics = await naming(
    `SFT update ${update}`,
    sftUpdate(policy, run.optimizer, batch, learningRate, config),
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

/** Does all RL iterations that are left. */
async function reinforce(run: Run): Promise<void> {
  const { algorithm, config } = run;
  const collection = algorithm.collect(config);
  const learner = new Learner(run, collection);
  await run.timed("rl", async () => {
    while (!learner.isDone) {
      await eventLoopTurn();
      run.throwIfStopped();
      await learner.iteration();
      if (run.state.iteration % CHECKPOINT_INTERVAL === 0) await run.save();
    }
  });
  learner.dispose();
  run.advance({ stage: "done" });
  await run.save();
}

/** One RL iteration: collect, learn, log. */
class Learner {
  readonly #run: Run;
  readonly #collector: Collector;
  readonly #stale: StaleCollector;
  readonly #context: Omit<LearnContext, "iteration" | "learningRate">;
  readonly #reference: ReturnType<typeof reference>;

  constructor(run: Run, collection: Collection) {
    this.#run = run;
    const { algorithm, config, environment, policy } = run;
    const makeEnvironment = () => environment.make(trainingEnvSettings(environment, config));
    this.#collector = collection.kind === "steps"
      ? stepsCollector(run, collection)
      : episodesCollector(run, collection, makeEnvironment);
    this.#stale = new StaleCollector(run, this.#collector);
    const needsReference = algorithm.objective(config).klCoefficient > 0 ||
      algorithm.needsReference?.(config);
    this.#reference = reference(policy, needsReference ? run.warmStartWeights() : null, config.temperature);
    this.#context = {
      policy,
      optimizer: run.optimizer,
      makeEnvironment,
      referenceLogprobs: this.#reference.logprobs,
      tokenValues: (transitions) => tokenValues(policy, transitions),
      memory: run.memory,
      learners: run.learners,
    };
  }

  get isDone(): boolean {
    const { done, total } = this.#collector.progress();
    return done >= total;
  }

  async iteration(): Promise<void> {
    const run = this.#run;
    const { algorithm, config, policy, effort, state: { iteration } } = run;
    const { done, total } = this.#collector.progress();
    const learningRate = config.learningRate * (1 - 0.9 * done / total);
    const startMs = performance.now();
    const rollout = await this.#stale.next();
    const rolloutSeconds = (performance.now() - startMs) / 1e3;
    effort.rollout += rolloutSeconds;
    const tokens = rollout.transitions.reduce((sum, { response }) => sum + response.length, 0);
    effort.rolloutTokens += tokens + (rollout.beside?.tokens ?? 0);
    const record = run.recorder?.begin(rollout, iteration + 1);
    const learnMs = performance.now();
    const update = await naming(
      `RL iteration ${iteration + 1}`,
      learn(algorithm, rollout, config, {
        ...this.#context,
        iteration,
        learningRate,
        observer: record?.observer,
      }),
    );
    await record?.end({ rollout: rolloutSeconds, update: (performance.now() - learnMs) / 1e3 });
    const metrics = rolloutMetrics(rollout, policy);
    const thoughtAlarm = policy.cot ? run.thoughtAlarm.check(metrics) : [];
    const warning = run.thoughtAlarm.note(iteration + 1, metrics, thoughtAlarm);
    if (warning !== null) run.progress.note(warning);
    this.#collector.advance(rollout);
    const envSteps = run.state.envSteps;
    run.log({
      stage: "rl",
      iteration: iteration + 1,
      envSteps,
      learningRate,
      ...metrics,
      thoughtAlarm,
      ...update,
    });
    if (iteration === 0 && config.actingWeights !== "f32") {
      run.progress.note(
        `Weights rounded to ${config.actingWeights} act: the first ratios differ from 1 by up to ` +
          `${
            Number(update.firstRatioError ?? 0).toPrecision(2)
          }; a ratio beyond --ratio-guard carries no gradient`,
      );
    }
    const after = this.#collector.progress();
    run.progress.update({
      stage: "rl",
      step: envSteps,
      total: Math.max(envSteps, this.#collector.plannedSteps),
      fields: {
        success: metrics.success === null ? "-" : formatShare(metrics.success),
        parsed: formatShare(metrics.parseRate),
        "tok/s": (effort.rolloutTokens / effort.rollout).toFixed(0),
      },
      leftMs: run.work.left("rl", after.done / after.total),
    });
  }

  dispose(): void {
    this.#reference.dispose();
  }
}

/** Evaluates sampled and greedy responses on held-out episodes. */
function evaluateAfter(run: Run, after: "sft" | "rl"): Promise<Evaluation> {
  const { config, environment } = run;
  const stage = `evaluation after ${after}` as const;
  const total = 2 * config.evalEpisodes;
  return run.timed("evaluation", async () => {
    const record = run.recorder?.evaluation(after, run.state.iteration);
    await run.handOver("evaluation");
    const evaluation = await evaluateBoth(run.actor("evaluation"), {
      ...finalEvaluation(environment, config),
      onProgress: (step) => {
        run.throwIfStopped();
        run.progress.update({ stage, step, total, leftMs: run.work.left(stage, step / total) });
      },
      ...record && { onTurn: record.onTurn },
    });
    await run.settle();
    await record?.end();
    run.log({ stage: "evaluation", after, ...evaluation });
    const warning = after === "rl" ? faithfulnessWarning(run.afterSft, evaluation) : null;
    if (warning !== null) run.progress.note(warning);
    return evaluation;
  });
}

/** What the evaluations of a run play. */
export function finalEvaluation(environment: EnvironmentDefinition, config: CommonSettings) {
  return {
    environment,
    envSettings: evaluationEnvSettings(environment, config),
    episodes: config.evalEpisodes,
    seed: 0,
    temperature: config.temperature,
    maxNewTokens: config.maxNewTokens,
  };
}

/** Awaits a step. An error about NaN or infinity gets the step's name. */
async function naming<T>(step: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error;
    throw new NotFiniteError(`Cannot go on at ${step}: ${error.message}`, { cause: error });
  }
}

/** Share of picture fields that greedy responses read correctly, on held-out seeds of their own. */
async function perceptionOf({ config, environment, policy }: Run): Promise<number> {
  const { perception } = await evaluate(config.sftThoughts ? thinking(policy) : policy, {
    environment,
    envSettings: evaluationEnvSettings(environment, config),
    episodes: config.perceptionEpisodes,
    seed: 1,
    greedy: true,
    temperature: config.temperature,
    maxNewTokens: config.maxNewTokens,
  });
  return perception ?? 0;
}
