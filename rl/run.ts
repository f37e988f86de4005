/**
 * A training run from start to end: warm start, perception gate, RL, evaluation.
 *
 * @module
 */
import { type Gpu, NotFiniteError } from "../kernels/gpu/mod.ts";
import { makeEnv } from "../envs/mod.ts";
import { AdamW, buildTokenizer, modelPresets, type Parameter, Tokenizer, Vlm } from "../model/mod.ts";
import { Agent } from "./agent.ts";
import { loadAgent, loadTrainer, saveCheckpoint, type TrainerState } from "./checkpoint.ts";
import type { Progress } from "./cli/mod.ts";
import { formatShare } from "./cli/mod.ts";
import type { TrainConfig } from "./config.ts";
import { evaluationEnvSettings, trainingEnvSettings } from "./env_settings.ts";
import { estimateWork } from "./estimate.ts";
import { eventLoopTurn } from "./event_loop.ts";
import { evaluate, evaluateBoth, type Evaluation } from "./evaluation.ts";
import { type MetricsLine, rolloutMetrics } from "./metrics.ts";
import { ppoIteration } from "./ppo.ts";
import { collectRollout, VectorEnv } from "./rollout.ts";
import type { CheckpointName, RunFolder } from "./run_folder.ts";
import { demonstrate, sftBatch, sftLearningRate, sftUpdate } from "./sft.ts";
import { ThoughtAlarm } from "./thought_alarm.ts";

/** RL iterations between checkpoints. */
const CHECKPOINT_INTERVAL = 6;
/** SFT updates between checkpoints. */
const SFT_CHECKPOINT_INTERVAL = 100;
/** SFT updates between looks at perception once the planned ones are done. */
const GATE_INTERVAL = 50;
const GATE_EPISODES = 64;

/** Outside world of a run. */
export interface RunContext {
  readonly gpu: Gpu;
  readonly folder: RunFolder;
  readonly progress: Progress;
  /** True once the user asked to stop. */
  readonly isStopped: () => boolean;
}

/** A run that ended, or null results where it was stopped before. */
export interface RunResult {
  readonly afterSft: Evaluation | null;
  readonly afterRl: Evaluation | null;
  readonly parameters: number;
  /** Wall time by stage. */
  readonly seconds: { sft: number; rl: number; evaluation: number };
  /** Response tokens written in rollouts, and the wall time that took. */
  readonly rolloutTokens: number;
  readonly rolloutSeconds: number;
}

/** Begins a run. */
export function newAgent(gpu: Gpu, config: TrainConfig): Agent {
  const tokenizer = Tokenizer.fromJson(
    buildTokenizer(makeEnv(config.env, evaluationEnvSettings(config)).tokens),
  );
  const vlm = new Vlm(gpu, {
    ...modelPresets[config.preset as keyof typeof modelPresets],
    imageNormalization: config.imageNormalization,
    vocabularySize: tokenizer.vocabularySize,
  });
  vlm.parameters.initialize(config.seed);
  return new Agent(vlm, tokenizer, { cot: config.cot });
}

/** Every weight learns in the warm start; linear weights decay. */
export function sftOptimizer(vlm: Vlm, config: TrainConfig): AdamW {
  return new AdamW(vlm.gpu, vlm.parameters, ({ kind, part }) => ({
    learningRateScale: 1,
    weightDecay: kind === "matrix" || kind === "head" ? config.sftWeightDecay : 0,
    clipGroup: part === "value_head" ? "value" : "policy",
  }));
}

/** RL trains vision encoder, projector, language model and value head, but for the frozen kinds of tensors. */
export function rlOptimizer(vlm: Vlm, config: TrainConfig): AdamW {
  const scaleOf = ({ kind, part }: Parameter) => {
    if (part === "value_head") return config.valueLearningRateScale;
    if (config.freeze.includes(kind)) return 0;
    return part === "language" ? 1 : config.visionLearningRateScale;
  };
  return new AdamW(vlm.gpu, vlm.parameters, (parameter) => ({
    learningRateScale: scaleOf(parameter),
    weightDecay: 0,
    clipGroup: parameter.part === "value_head" ? "value" : "policy",
  }));
}

/** Trains as `config` says, or goes on from the folder's checkpoint when `config.resume`. */
export async function runTraining(config: TrainConfig, context: RunContext): Promise<RunResult> {
  const run = await Run.open(config, context);
  const { result } = run;
  if (run.state.stage === "sft" && !await warmStart(run)) return result;
  if (run.state.stage === "rl" && !await reinforce(run)) return result;
  result.afterRl = await evaluateAfter(run, "rl");
  return result;
}

/** Nothing done yet. */
const START: TrainerState = {
  stage: "sft",
  sftUpdates: 0,
  iteration: 0,
  optimizerStep: 0,
  slots: [],
  episodes: 0,
};

/** A run under way: what it trains, where it stands, what it found. */
class Run {
  readonly progress: Progress;
  readonly work: ReturnType<typeof estimateWork>;
  readonly thoughtAlarm = new ThoughtAlarm();
  readonly result: { -readonly [K in keyof RunResult]: RunResult[K] };
  readonly #context: RunContext;

  private constructor(
    readonly config: TrainConfig,
    context: RunContext,
    readonly agent: Agent,
    /** Of the current stage. */
    public optimizer: AdamW,
    public state: TrainerState,
  ) {
    this.#context = context;
    this.progress = context.progress;
    this.work = estimateWork(agent.vlm, config);
    this.result = {
      afterSft: null,
      afterRl: null,
      parameters: agent.vlm.parameters.count,
      seconds: { sft: 0, rl: 0, evaluation: 0 },
      rolloutTokens: 0,
      rolloutSeconds: 0,
    };
  }

  /** A new run, or the folder's when `config.resume`, without the metrics that it will write again. */
  static async open(config: TrainConfig, context: RunContext): Promise<Run> {
    const { gpu, folder } = context;
    const checkpoint = config.resume ? await folder.checkpointPath() : null;
    const agent = checkpoint === null ? newAgent(gpu, config) : await loadAgent(gpu, checkpoint);
    const { vlm } = agent;
    const { state, optimizer } = checkpoint === null
      ? { state: START, optimizer: sftOptimizer(vlm, config) }
      : await loadTrainer(
        checkpoint,
        vlm,
        ({ stage }) => stage === "sft" ? sftOptimizer(vlm, config) : rlOptimizer(vlm, config),
      );
    const run = new Run(config, context, agent, optimizer, state);
    if (!config.resume) return run;
    await folder.truncateMetrics((line) => isBefore(line as unknown as MetricsLine, state));
    for (const line of await folder.readMetrics() as unknown as MetricsLine[]) {
      if (line.stage === "evaluation" && line.after === "sft") run.result.afterSft = line;
      if (line.stage === "rl") run.thoughtAlarm.check(line);
    }
    return run;
  }

  /** Did the user ask to stop? */
  async isStopped(): Promise<boolean> {
    await eventLoopTurn();
    return this.#context.isStopped();
  }

  log(line: MetricsLine): void {
    this.#context.folder.appendMetrics(line);
  }

  advance(changes: Partial<TrainerState>): void {
    this.state = { ...this.state, ...changes };
  }

  /** Writes the checkpoint to go on from, or the one for other runs to begin RL from. */
  async save(name?: CheckpointName): Promise<void> {
    this.advance({ optimizerStep: this.optimizer.step });
    await saveCheckpoint(this.#context.folder, this.agent, this.optimizer, this.state, name);
  }

  /** Adds the wall time of `work` to a stage's. */
  async timed<T>(stage: keyof RunResult["seconds"], work: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      this.result.seconds[stage] += (performance.now() - startMs) / 1e3;
    }
  }
}

/** SFT until the pictures are read, then evaluation and RL's optimiser. False when stopped. */
async function warmStart(run: Run): Promise<boolean> {
  const { config, agent } = run;
  const isPassed = await run.timed("sft", () => sftToGate(run));
  if (await run.isStopped()) {
    await run.save();
    return false;
  }
  if (!isPassed) {
    await run.save();
    throw new Error(
      `Cannot begin RL: perception stayed under ${config.perceptionGate} for ${run.state.sftUpdates} SFT updates, ` +
        "raise --demonstrations or --perception-extra-steps, or lower --perception-gate",
    );
  }
  run.result.afterSft = await evaluateAfter(run, "sft");
  run.optimizer.dispose();
  run.optimizer = rlOptimizer(agent.vlm, config);
  run.advance({ stage: "rl" });
  await run.save("warm_start");
  await run.save();
  return true;
}

/** The planned updates, then more until the gate is passed. False when it never is, or when stopped. */
async function sftToGate(run: Run): Promise<boolean> {
  const { config, agent } = run;
  const demonstrations = demonstrate(agent, config);
  const most = config.sftSteps + (config.cot ? config.perceptionExtraSteps : 0);
  while (!await run.isStopped()) {
    const { sftUpdates } = run.state;
    const extra = sftUpdates - config.sftSteps;
    const isGateDue = config.cot && extra >= 0 && extra % GATE_INTERVAL === 0;
    if (isGateDue && await passesGate(run)) return true;
    if (sftUpdates >= most) return !config.cot;
    await sftStep(run, sftBatch(demonstrations, sftUpdates, config));
    if (run.state.sftUpdates % SFT_CHECKPOINT_INTERVAL === 0) await run.save();
  }
  return false;
}

/** Looks at perception. */
async function passesGate(run: Run): Promise<boolean> {
  const { config, state: { sftUpdates: update } } = run;
  const perception = await perceptionOf(run.agent, config);
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
  run.log({ stage: "sft", update, learningRate, ...metrics });
  run.progress.update({
    stage: "sft",
    step: update,
    total: Math.max(config.sftSteps, update),
    fields: { loss: metrics.sftLoss.toFixed(3) },
    leftMs: run.work.left("sft", update / config.sftSteps),
  });
  run.advance({ sftUpdates: update });
}

/** RL to its last iteration. False when stopped. */
async function reinforce(run: Run): Promise<boolean> {
  const { config } = run;
  const vectorEnv = new VectorEnv(config.env, config.envs, config.seed, trainingEnvSettings(config));
  if (run.state.slots.length > 0) vectorEnv.restore(run.state.slots, run.state.episodes);
  const iterations = Math.ceil(config.envSteps / (config.envs * config.rolloutSteps));
  await run.timed("rl", async () => {
    while (run.state.iteration < iterations && !await run.isStopped()) {
      await rlIteration(run, vectorEnv, iterations);
      if (run.state.iteration % CHECKPOINT_INTERVAL !== 0) continue;
      run.advance(vectorEnv.save());
      await run.save();
    }
  });
  const isDone = run.state.iteration >= iterations;
  run.advance({ stage: isDone ? "done" : "rl", ...vectorEnv.save() });
  await run.save();
  return isDone;
}

/** Collect, improve, log. */
async function rlIteration(run: Run, vectorEnv: VectorEnv, iterations: number): Promise<void> {
  const { config, agent, result, state: { iteration } } = run;
  const startMs = performance.now();
  const rollout = await collectRollout(agent, vectorEnv, {
    ...config,
    steps: config.rolloutSteps,
    stepsBefore: iteration * config.rolloutSteps,
  });
  result.rolloutSeconds += (performance.now() - startMs) / 1e3;
  result.rolloutTokens += rollout.transitions.reduce((sum, { response }) => sum + response.length, 0);
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
      "tok/s": (result.rolloutTokens / result.rolloutSeconds).toFixed(0),
    },
    leftMs: run.work.left("rl", done / iterations),
  });
  run.advance({ iteration: done });
}

/** Both policies on held-out episodes. */
function evaluateAfter(run: Run, after: "sft" | "rl"): Promise<Evaluation> {
  const { config } = run;
  const stage = `evaluation after ${after}` as const;
  const total = 2 * config.evalEpisodes;
  return run.timed("evaluation", async () => {
    const evaluation = await evaluateBoth(run.agent, {
      environment: config.env,
      envSettings: evaluationEnvSettings(config),
      episodes: config.evalEpisodes,
      seed: 0,
      temperature: config.temperature,
      maxNewTokens: config.maxNewTokens,
      onProgress: (step) =>
        run.progress.update({ stage, step, total, leftMs: run.work.left(stage, step / total) }),
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

/** Was this line written before the checkpoint with this state? */
function isBefore(line: MetricsLine, { stage, sftUpdates, iteration }: TrainerState): boolean {
  switch (line.stage) {
    case "sft":
      return line.update <= sftUpdates;
    case "gate":
      return stage === "sft" ? line.update < sftUpdates : line.update <= sftUpdates;
    case "rl":
      return line.iteration <= iteration;
    case "evaluation":
      return line.after === "sft" && stage !== "sft";
  }
}

/** Share of picture fields that greedy responses read correctly, on held-out seeds of their own. */
async function perceptionOf(agent: Agent, config: TrainConfig): Promise<number> {
  const { perception } = await evaluate(agent, {
    environment: config.env,
    envSettings: evaluationEnvSettings(config),
    episodes: GATE_EPISODES,
    seed: 1,
    greedy: true,
    temperature: config.temperature,
    maxNewTokens: config.maxNewTokens,
  });
  return perception ?? 0;
}
