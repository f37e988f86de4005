/// <reference lib="dom" />
/**
 * Where the page gets runs from: the server of `./ponder watch`, or what an exported page holds.
 *
 * @module
 */
import type { Recorded, RecordedLine, RecordedTurn } from "../../rl/run/recorded.ts";
import type { ReplayTold } from "../../rl/run/replayed.ts";
import type { ExportedPage, RecordingTold, RunListed, RunTold, SceneTold } from "../../rl/watch/wire.ts";

/** More of `metrics.jsonl`. */
export interface MetricsPart {
  readonly text: string;
  /** Byte that it begins at; 0 again when the file was begun again. */
  readonly start: number;
  /** Byte to go on from. */
  readonly next: number;
}

/** Where runs come from. */
export interface Source {
  /** Whether there is a server that follows runs and plays. */
  readonly isLive: boolean;
  list(): Promise<RunListed[]>;
  run(id: string): Promise<RunTold>;
  metrics(id: string, from: number): Promise<MetricsPart>;
  recording(id: string): Promise<RecordingTold>;
  recorded(id: string, file: string): Promise<Recorded>;
  scene(id: string, file: string, episode: number): Promise<SceneTold>;
  /** What `replay` found out, as of now. */
  replay(id: string, file: string, episode: number): Promise<ReplayTold | null>;
  picture(id: string, name: string): string;
}

/** The source that this page was made with. */
export function openSource(): Source {
  const embedded = document.getElementById("data")?.textContent;
  return embedded ? new EmbeddedSource(JSON.parse(embedded)) : new ServerSource();
}

class ServerSource implements Source {
  readonly isLive = true;
  readonly #files = new Map<string, Promise<Recorded>>();
  readonly #scenes = new Map<string, Promise<SceneTold>>();

  list = () => getJson<RunListed[]>("api/runs");
  run = (id: string) => getJson<RunTold>(`api/run/${encodeURIComponent(id)}`);
  recording = (id: string) => getJson<RecordingTold>(`api/run/${encodeURIComponent(id)}/recording`);
  picture = (id: string, name: string) => `api/run/${encodeURIComponent(id)}/file/${name}`;
  replay = (id: string, file: string, episode: number) =>
    getJson<ReplayTold | null>(`api/run/${encodeURIComponent(id)}/replay/${file}/${episode}`);

  async metrics(id: string, from: number): Promise<MetricsPart> {
    const response = await fetch(`api/run/${encodeURIComponent(id)}/metrics?from=${from}`);
    if (response.status === 404) return { text: "", start: 0, next: 0 };
    if (!response.ok) throw new Error(await response.text());
    const at = (name: string) => Number(response.headers.get(name));
    return { text: await response.text(), start: at("x-start"), next: at("x-next") };
  }

  recorded(id: string, file: string): Promise<Recorded> {
    return kept(this.#files, `${id}/${file}`, async () => {
      const response = await fetch(`api/run/${encodeURIComponent(id)}/file/${file}`);
      if (!response.ok) throw new Error(`${file} is gone: the recording made room for newer ones`);
      return parseRecorded(await response.text());
    });
  }

  scene(id: string, file: string, episode: number): Promise<SceneTold> {
    return kept(
      this.#scenes,
      `${id}/${file}/${episode}`,
      () => getJson<SceneTold>(`api/run/${encodeURIComponent(id)}/scene/${file}/${episode}`),
    );
  }
}

class EmbeddedSource implements Source {
  readonly isLive = false;

  constructor(readonly page: ExportedPage) {}

  #run(id: string) {
    const run = this.page.runs.find(({ told }) => told.id === id);
    if (run === undefined) throw new Error(`This page holds no run ${id}`);
    return run;
  }

  list = () => Promise.resolve(this.page.runs.map(({ told }) => told));
  run = (id: string) => Promise.resolve(this.#run(id).told);
  recording = (id: string) => Promise.resolve(this.#run(id).recording);
  recorded = (id: string, file: string) => Promise.resolve(parseRecorded(this.#run(id).files[file] ?? ""));
  scene = (id: string, file: string, episode: number) =>
    Promise.resolve(this.#run(id).scenes[`${file}/${episode}`] ?? { turns: [] });
  replay = (id: string, file: string, episode: number) =>
    Promise.resolve(this.#run(id).replays[`${file}/${episode}`] ?? null);
  picture = (id: string, name: string) => `data:image/png;base64,${this.#run(id).pictures[name] ?? ""}`;

  metrics(id: string, from: number): Promise<MetricsPart> {
    const text = from === 0 ? this.#run(id).metrics : "";
    return Promise.resolve({ text, start: from, next: from + text.length });
  }
}

/** Makes a value once; one that failed is made again next time, and of many the oldest are forgotten. */
function kept<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
    value.catch(() => known.delete(key));
    if (known.size > 64) known.delete(known.keys().next().value!);
  }
  return value;
}

async function getJson<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return await response.json();
}

/** The server has checked the digest, or the export did. */
function parseRecorded(text: string): Recorded {
  const lines = text.split("\n").slice(0, -2).map((line) => JSON.parse(line) as RecordedLine);
  const [header, ...rest] = lines;
  if (header?.kind !== "header") throw new Error("This file of the recording is damaged");
  return {
    header,
    episodes: rest.filter((line) => line.kind === "episode"),
    turns: rest.filter((line): line is RecordedTurn => line.kind === "turn" || line.kind === "other"),
  };
}
