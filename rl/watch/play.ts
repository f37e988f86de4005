/**
 * Playing in the page: an episode that a person and a policy play side by side, and a policy that looks at any picture. The
 * policy runs here, in the server.
 *
 * @module
 */
import type { Environment, EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { EVALUATION_SEEDS } from "../evaluation.ts";
import { explain, tokenText } from "../explain.ts";
import { encodePicture } from "../image.ts";
import type { Act, Policy } from "../policy.ts";
import { printable, shellQuote } from "../cli/mod.ts";
import { RunFolder } from "../run/folder.ts";
import { loadTrained } from "../run/trained.ts";
import { isSuccess, samplerState } from "../rollout.ts";
import type { FoundRun } from "./runs.ts";
import { describeRun } from "./runs.ts";
import { base64, type Stage } from "./scenes.ts";
import { stageOf } from "./site.ts";
import type { PlayBegun, PlayStepped, PlayThought } from "./wire.ts";
import { requireReward } from "../vector_env.ts";

/** Largest request: a picture in base64. */
const MAX_BODY_BYTES = 16 << 20;
/** Episodes that are kept at once. */
const MAX_SESSIONS = 16;
/** Tokens that are told beside each that was drawn. */
const ALTERNATIVES = 5;

/** What playing needs. */
export interface PlayContext {
  readonly runs: () => Promise<readonly FoundRun[]>;
  readonly openGpu: () => Promise<Gpu>;
  /** Environments of the user's own that they named. */
  readonly environments?: readonly EnvironmentDefinition[];
  /** Where the runs' pretrained model is now; where it was when absent. */
  readonly model?: string;
}

interface Session {
  readonly run: FoundRun;
  readonly seed: number;
  readonly sides: Readonly<Record<"you" | "model", Side>>;
}

interface Side {
  readonly env: Environment;
  steps: number;
  episodeReturn: number;
  isOver: boolean;
}

/** Answers the requests of a page that plays. */
export class Play implements AsyncDisposable {
  readonly #context: PlayContext;
  readonly #sessions = new Map<string, Session>();
  #loaded:
    | { readonly path: string; readonly gpu: Gpu; readonly policy: Policy; readonly rewardScale: number }
    | null = null;
  /** One policy, one request at a time. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(context: PlayContext) {
    this.#context = context;
  }

  /** Answers `begin`, `think`, `step` and `picture`; null for anything else. */
  async answer(request: Request, path: string): Promise<Response | null> {
    if (request.method !== "POST") return null;
    const handlers: Record<string, (body: Record<string, unknown>) => Promise<unknown>> = {
      begin: (body) => this.#begin(body),
      think: (body) => this.#think(body),
      step: (body) => Promise.resolve(this.#step(body)),
      picture: (body) => this.#picture(body),
    };
    if (!Object.hasOwn(handlers, path)) return null;
    try {
      const body = await readBody(request);
      const done = this.#queue.then(() => handlers[path](body));
      this.#queue = done.catch(() => {});
      return Response.json(await done);
    } catch (error) {
      return new Response((error as Error).message, { status: 400 });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue;
    this.#loaded?.gpu.destroy();
    this.#loaded = null;
  }

  async #begin({ run: id, seed }: Record<string, unknown>): Promise<PlayBegun> {
    const { run, stage } = await this.#runOf(id);
    if (typeof seed !== "number" || !Number.isInteger(seed) || seed < 0 || seed > 999_999) {
      throw new RangeError("Cannot begin: an episode is a whole number from 0 to 999,999");
    }
    const side = (): Side => {
      const env = stage.environment.make(stage.evaluation);
      env.reset({ seed: EVALUATION_SEEDS + seed });
      return { env, steps: 0, episodeReturn: 0, isOver: false };
    };
    const session = crypto.randomUUID();
    const sides = { you: side(), model: side() };
    this.#sessions.set(session, { run, seed, sides });
    if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!);
    const { env } = sides.you;
    const prompt = env.prompt(env.current().info, { cot: true });
    return { session, actions: env.actions, prompt, frame: frameOf(env), solver: env.solve !== undefined };
  }

  async #think({ session: id, greedy }: Record<string, unknown>): Promise<PlayThought> {
    const { run, seed, sides: { model } } = this.#sessionOf(id);
    if (model.isOver) throw new Error("The episode is over, begin another");
    const { policy, rewardScale } = await this.#load(run);
    const { env } = model;
    const { info, observation } = env.current();
    const { temperature, maxNewTokens } = policy.sampling;
    const [decision] = await policy.respond([{ env, info, observation }], {
      ...{ temperature, maxNewTokens, greedy: greedy === true },
      random: samplerState(1, EVALUATION_SEEDS + seed, model.steps * maxNewTokens),
    });
    const action = decision.parse.action;
    return await thoughtOf(
      policy,
      { ...decision, action: action === null ? null : env.actions[action] },
      rewardScale,
    );
  }

  #step({ session: id, side: name, action }: Record<string, unknown>): PlayStepped {
    const { sides } = this.#sessionOf(id);
    if (name !== "you" && name !== "model") throw new TypeError("Cannot step: neither you nor the model");
    const side = sides[name];
    const { env } = side;
    if (side.isOver) throw new Error("The episode is over, begin another");
    // As in training, a text without an action stands for a random one.
    const index = action === null ? env.randomAction() : env.actions.indexOf(String(action));
    const best = env.solve === undefined ? null : env.actions[env.solve()];
    const { reward, terminated, truncated, info } = env.step(index);
    requireReward(env, reward);
    side.steps++;
    side.episodeReturn += reward;
    side.isOver = terminated || truncated;
    return {
      ...{ action: env.actions[index], reward, best, episodeReturn: side.episodeReturn, isOver: side.isOver },
      success: side.isOver ? isSuccess(env, side.episodeReturn, info.goalReached) : null,
      frame: frameOf(env),
    };
  }

  async #picture({ run: id, png, prompt, greedy }: Record<string, unknown>): Promise<PlayThought> {
    const { run, stage } = await this.#runOf(id);
    if (typeof png !== "string") throw new TypeError("Cannot look: no picture was sent");
    const bytes = Uint8Array.from(atob(png), (each) => each.charCodeAt(0));
    const { policy, rewardScale } = await this.#load(run);
    const env = stage.environment.make(stage.evaluation);
    const { info } = env.reset({ seed: 0 });
    const task = typeof prompt === "string" && prompt !== "" ? prompt : env.prompt(info, { cot: policy.cot });
    const act = await policy.act(bytes, task, { greedy: greedy === true, actions: env.actions });
    return await thoughtOf(policy, act, rewardScale);
  }

  async #runOf(id: unknown): Promise<{ run: FoundRun; stage: Stage }> {
    const run = (await this.#context.runs()).find((each) => each.id === id);
    if (run === undefined) throw new Deno.errors.NotFound("Cannot play: there is no such run");
    const { settings } = await describeRun(run);
    const stage = stageOf(settings, this.#context.environments);
    if (stage !== null) return { run, stage };
    throw new Error(
      "Cannot play here: the run's environment is none of ponder's own, and a run folder never says which code to load; " +
        `if you trust it, begin with: ./ponder watch --env ${
          typeof settings.env === "string" ? shellQuote(printable(settings.env)) : "FILE"
        }`,
    );
  }

  #sessionOf(id: unknown): Session {
    const session = this.#sessions.get(String(id));
    if (session === undefined) throw new Error("This episode is forgotten, begin another");
    return session;
  }

  /** Loads the policy of a run, and drops the one from before. */
  async #load(run: FoundRun) {
    const { stage } = await this.#runOf(run.id);
    const folder = await RunFolder.open(run.path);
    const checkpoint = await folder.readCheckpoint();
    if (checkpoint === null) throw new Error("Cannot play yet: the run has no checkpoint");
    const path = `${checkpoint.path} ${JSON.stringify(checkpoint.manifest?.progress)}`;
    if (this.#loaded?.path === path) return this.#loaded;
    this.#loaded?.gpu.destroy();
    this.#loaded = null;
    const gpu = await this.#context.openGpu();
    try {
      const trained = { run: run.path, source: checkpoint, config: { model: this.#context.model } };
      const policy = await loadTrained(gpu, trained, stage.environment.make(stage.evaluation));
      const { rewardScale } = await folder.readConfig();
      return this.#loaded = {
        path,
        gpu,
        policy,
        rewardScale: typeof rewardScale === "number" ? rewardScale : 1,
      };
    } catch (error) {
      gpu.destroy();
      throw error;
    }
  }
}

/** What a policy wrote, as the microscope shows it. */
async function thoughtOf(policy: Policy, act: Act, rewardScale: number): Promise<PlayThought> {
  const { prompt, response, decoding: { text, starts, ends }, action, parse, judgement } = act;
  const { temperature } = policy.sampling;
  const [explanation] = await explain(policy, [{ prompt, response: response.ids }], {
    temperature,
    alternatives: ALTERNATIVES,
  });
  await policy.gpu.settle();
  return {
    ...{ text, starts, ends, action, value: response.value / rewardScale },
    actionSpan: [parse.start, parse.end],
    probabilities: Array.from(response.logprobs, (logprob) => Math.exp(logprob)),
    alternatives:
      explanation.alternatives?.map((each) =>
        each.map(([id, probability]) => [tokenText(policy, id), probability] as const)
      ) ?? null,
    faithful: judgement.faithful,
    perception: judgement.perception,
  };
}

const frameOf = (env: Environment): string => base64(encodePicture(env.current().observation));

async function readBody(request: Request): Promise<Record<string, unknown>> {
  const length = Number(request.headers.get("content-length") ?? Infinity);
  if (!(length <= MAX_BODY_BYTES)) throw new RangeError("Cannot read this: it is larger than 16 MiB");
  const body = await request.json();
  if (typeof body === "object" && body !== null) return body;
  throw new TypeError("Cannot read this: it is no JSON object");
}
