/**
 * What `./ponder watch` answers: the page, and what the runs that were found hold. A request names a run by an id and a file
 * by a name that a recording may have, never a path.
 *
 * @module
 */
import { type EnvironmentDefinition, ENVIRONMENTS } from "../../envs/mod.ts";
import { evaluationEnvSettings, trainingEnvSettings } from "../env_settings.ts";
import type { CommonSettings } from "../config.ts";
import { published } from "../report/published.ts";
import { decodeRecorded } from "../run/recorded.ts";
import { readRecordedFile, readRecordedText, RECORDING_ENTRY } from "../run/recording.ts";
import { replayOf } from "../run/replayed.ts";
import type { JsonObject } from "../run/store.ts";
import { isSameEnvironment } from "../run/trained.ts";
import { listRecording } from "./recordings.ts";
import { describeRun, type FoundRun, requirePlainFile } from "./runs.ts";
import { playScene, type Stage } from "./scenes.ts";
import type { Baseline, RunTold, SceneTold } from "./wire.ts";

/** The page's own files by name: `index.html`, `page.js`, `page.css`. */
export type PageFiles = Readonly<Record<string, string>>;

/** What to show. */
export interface SiteContext {
  readonly page: PageFiles;
  /** The runs as they are now; asked at every look at the list. */
  readonly runs: () => Promise<readonly FoundRun[]>;
  /** Environments of the user's own that they named; runs on others show what was recorded, and are not drawn again. */
  readonly environments?: readonly EnvironmentDefinition[];
  /** Answers further requests, under `/play/`. */
  readonly play?: (request: Request, path: string) => Promise<Response | null>;
}

/** Nothing but the server's own scripts, styles and pictures. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** Answers a request to the page's server. */
export function makeSite(context: SiteContext): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    // A page from elsewhere, whose name was made to point here, would send the name of its own host.
    if (!/^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname)) {
      return refused(403, "Only from this machine");
    }
    const path = url.pathname.slice(1);
    if (path.startsWith("play/")) {
      // Others' pages may send requests here, but not with this header.
      if (request.method !== "GET" && request.headers.get("x-ponder") !== "1") return refused(403, "Refused");
      return withHeaders(await context.play?.(request, path.slice(5)) ?? refused(404, "No such page"));
    }
    if (request.method !== "GET") return refused(405, "Only GET is answered");
    const own = path === "" ? "index.html" : path;
    if (Object.hasOwn(context.page, own)) {
      return answer(context.page[own], TYPES[own.split(".").at(-1)!]);
    }
    try {
      return await runAnswer(context, url) ?? refused(404, "No such page");
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return refused(404, "No such file");
      return refused(500, (error as Error).message);
    }
  };
}

async function runAnswer({ runs, environments }: SiteContext, url: URL): Promise<Response | null> {
  const [api, of, rawId, what, file, rest, ...more] = url.pathname.slice(1).split("/");
  if (api !== "api" || more.length > 0) return null;
  const found = await runs();
  if (of === "runs" && rawId === undefined) {
    const listed = await Promise.all(found.map(async (run) => (await describeRun(run)).listed));
    return json(listed);
  }
  if (of !== "run" || rawId === undefined) return null;
  const id = decode(rawId);
  const run = found.find((each) => each.id === id);
  if (run === undefined) return null;
  if (what === undefined) return json(await tellRun(run, environments));
  if (what === "metrics" && file === undefined) {
    const from = Number(url.searchParams.get("from") ?? 0);
    return Number.isSafeInteger(from) && from >= 0 ? await metricsAnswer(run, from) : null;
  }
  if (what === "recording" && file === undefined) return json(await listRecording(run.path));
  if (file === undefined || !RECORDING_ENTRY.test(file)) return null;
  if (what === "file" && rest === undefined) {
    const isPicture = file.endsWith(".png");
    const bytes = readRecordedFile(run.path, file);
    return answer(bytes, isPicture ? "image/png" : "application/jsonl; charset=utf-8");
  }
  if (!/^\d{1,4}$/.test(rest ?? "")) return null;
  const episode = Number(rest);
  if (what === "scene") return json(await sceneOf(run, file, episode, environments));
  if (what === "replay") {
    return json(replayOf(run.path, { file, episode, text: readRecordedText(run.path, file) }));
  }
  return null;
}

/** Whole lines of `metrics.jsonl` from a byte on; `x-next` is the byte to go on from. */
async function metricsAnswer(run: FoundRun, from: number): Promise<Response> {
  const path = `${run.path}/metrics.jsonl`;
  await requirePlainFile(path);
  using file = await Deno.open(path);
  const { size } = await file.stat();
  // A shorter file is another one: a run that was resumed, or begun again.
  const start = from > size ? 0 : from;
  await file.seek(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(Math.min(size - start, MAX_METRICS_BYTES));
  let read = 0;
  while (read < bytes.length) {
    const count = await file.read(bytes.subarray(read));
    if (count === null) break;
    read += count;
  }
  const end = bytes.subarray(0, read).lastIndexOf(10) + 1;
  const response = answer(bytes.slice(0, end), "application/jsonl; charset=utf-8");
  response.headers.set("x-start", String(start));
  response.headers.set("x-next", String(start + end));
  response.headers.set("x-size", String(size));
  return response;
}

const MAX_METRICS_BYTES = 32 << 20;

/** Everything about a run except its metrics and its recording. */
export async function tellRun(
  run: FoundRun,
  environments?: readonly EnvironmentDefinition[],
): Promise<RunTold> {
  const { listed, settings, summary, faults } = await describeRun(run);
  const stage = stageOf(settings, environments);
  return {
    ...listed,
    ...{ settings, summary, faults },
    baselines: await baselinesOf(stage),
    canDraw: stage !== null,
  };
}

/** A recorded episode, played again; empty when it cannot be. */
export async function sceneOf(
  run: FoundRun,
  file: string,
  episode: number,
  environments?: readonly EnvironmentDefinition[],
): Promise<SceneTold> {
  const stage = stageOf((await describeRun(run)).settings, environments);
  const nothing = { turns: [] };
  if (stage === null) return nothing;
  const text = readRecordedText(run.path, file);
  return playScene(decodeRecorded(text), episode, stage) ?? nothing;
}

/**
 * How the run's environments are made; null unless it is one that comes with ponder, or one that the user named. A run folder
 * never says which code to load.
 */
export function stageOf(
  settings: JsonObject,
  environments: readonly EnvironmentDefinition[] = [],
): Stage | null {
  const { env } = settings;
  const environment = typeof env !== "string"
    ? undefined
    : [...ENVIRONMENTS, ...environments].find((each) => isSameEnvironment(env, each));
  if (environment === undefined) return null;
  const { envSettings = [], trainingSettings = [], gamma } = settings as Partial<CommonSettings>;
  try {
    return {
      environment,
      training: trainingEnvSettings(environment, { envSettings, trainingSettings } as CommonSettings),
      evaluation: evaluationEnvSettings(environment, { envSettings }),
      gamma: typeof gamma === "number" && gamma >= 0 && gamma <= 1 ? gamma : 1,
    };
  } catch {
    return null;
  }
}

async function baselinesOf(stage: Stage | null): Promise<Baseline[]> {
  if (stage === null) return [];
  const { name } = stage.environment;
  const isOurs = ENVIRONMENTS.some((each) => each === stage.environment);
  const baselines: Baseline[] = [];
  const random = isOurs ? await measured(name, "random") : null;
  if (random !== null) baselines.push({ label: "random", success: random });
  const optimal = stage.environment.ceiling(stage.evaluation);
  if (optimal !== null) baselines.push({ label: "optimal", success: optimal });
  const peak = isOurs ? published[name]?.[0] : undefined;
  if (peak !== undefined) {
    baselines.push({ label: `${peak.system} (${peak.size})`, success: peak.success / 100 });
  }
  return baselines;
}

/** Success of a policy without a model, as `results/` has it. */
async function measured(environment: string, policy: string): Promise<number | null> {
  try {
    const url = new URL(`../../results/${environment}/${policy}.json`, import.meta.url);
    const { evaluation } = JSON.parse(await Deno.readTextFile(url));
    return typeof evaluation.sampled.success === "number" ? evaluation.sampled.success : null;
  } catch {
    return null;
  }
}

const json = (value: unknown): Response => answer(JSON.stringify(value), "application/json; charset=utf-8");

function answer(body: string | Uint8Array<ArrayBuffer>, type: string): Response {
  return new Response(body, { headers: { ...HEADERS, "content-type": type } });
}

function refused(status: number, text: string): Response {
  return new Response(text, { status, headers: { ...HEADERS, "content-type": "text/plain; charset=utf-8" } });
}

function withHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  return response;
}

/** A part of a path as it was meant; itself when it is no such thing. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
