/// <reference lib="webworker" />
/**
 * The Worker of the playground: the GPU, the model and the training loop, so that the page stays responsive. What runs here
 * is what runs in Deno: `train()`, kept in memory, and `Agent`.
 *
 * @module
 */
import { findEnvironment } from "../../envs/mod.ts";
import { type Gpu, openGpu } from "../../kernels/gpu/mod.ts";
import type { Agent } from "../../rl/agent.ts";
import { loadAgent } from "../../rl/run/checkpoint.ts";
import { train } from "../../rl/run/training.ts";
import type { EnvironmentName } from "./environments.ts";
import type { Choice, Frame, Message, PlayChoice, Request, Step } from "./protocol.ts";
import { loadPictures } from "../host/canvas.ts";
import { playSteps, responder, solver } from "./play.ts";
import { settingsOf } from "./settings.ts";

const scope = globalThis as unknown as DedicatedWorkerGlobalScope;
const post = (message: Message, transfer: Transferable[] = []) => scope.postMessage(message, transfer);

let gpu: Gpu | null = null;
let demo: Agent | null = null;
let trained: Agent | null = null;
let isStopped = false;
/** Requests are done one after the other: two at once would share the GPU's open pass. */
let queue: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }: MessageEvent<Request>) => {
  if (data.kind === "stop") {
    isStopped = true;
    return;
  }
  queue = queue.then(() => run(data));
};

async function run(request: Exclude<Request, { kind: "stop" }>): Promise<void> {
  const stopTelling = tellOfWork();
  try {
    if (request.kind === "open") await open();
    else if (request.kind === "play") await play(request);
    else await learn(request.choice);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    post({ kind: "failed", while: request.kind, message });
  } finally {
    stopTelling();
  }
}

/** Says now and then that something is going on: the first launch of each kernel compiles it, which takes a while. */
function tellOfWork(): () => void {
  const startMs = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - startMs) / 1000);
    post({ kind: "working", pipelines: gpu?.pipelines.size ?? 0, seconds });
  }, 500);
  return () => clearInterval(timer);
}

async function open(): Promise<void> {
  gpu = await openGpu();
  const read = async <Name extends string>(...names: Name[]) => {
    const files = {} as Record<Name, Uint8Array<ArrayBuffer>>;
    await Promise.all(names.map(async (name) => {
      const response = await fetch(new URL(`demo/${name}`, import.meta.url));
      if (!response.ok) {
        throw new Error(`Cannot load demo/${name}: ${response.status} ${response.statusText}`);
      }
      files[name] = new Uint8Array(await response.arrayBuffer());
    }));
    return files;
  };
  demo = await loadAgent(gpu, { path: "the demo checkpoint", manifest: null, read });
  post({ kind: "opened", adapter: gpu.adapterName, parameters: demo.parameters.count });
}

/** Plays a held-out episode, a message a step. */
async function play({ env, policy: which, episode, greedy }: PlayChoice): Promise<void> {
  const policy = which === "trained" ? trained : demo;
  if (policy === null && which !== "solver") {
    throw new Error(`Cannot play: there is no ${which} policy yet, train one`);
  }
  const respond = which === "solver" ? solver : responder(policy!, { episode, greedy });
  const onScene = (info: Step["info"], frame: Frame) =>
    post({ kind: "scene", info, frame }, [frame.data.buffer]);
  for await (const { step, frame } of playSteps(respond, await environmentOf(env), { episode, onScene })) {
    post({ kind: "step", step, frame }, [frame.data.buffer]);
  }
  post({ kind: "played" });
}

/** An environment with all that it draws. */
async function environmentOf(name: EnvironmentName) {
  await loadPictures();
  return findEnvironment(name);
}

/** Trains from nothing, and keeps what was trained. */
async function learn(choice: Choice): Promise<void> {
  isStopped = false;
  const startMs = performance.now();
  let loss: number | undefined;
  const environment = await environmentOf(choice.env);
  for await (const event of train({ environment, settings: settingsOf(choice), gpu: gpu! })) {
    switch (event.stage) {
      case "progress":
        post({ kind: "progress", of: event.of, step: event.step, total: event.total, loss });
        break;
      case "sft":
        loss = event.sftLoss;
        break;
      case "rl":
        loss = undefined;
        post({ kind: "point", point: { envSteps: event.envSteps, success: event.success } });
        break;
      case "evaluation": {
        const { after, sampled, greedy } = event;
        post({ kind: "evaluation", after, sampled: sampled.success, greedy: greedy.success });
        break;
      }
      case "note":
        post({ kind: "note", text: event.text });
        break;
      case "done":
        trained = event.policy as Agent;
    }
    if (isStopped) break;
  }
  if (isStopped) post({ kind: "stopped" });
  else post({ kind: "trained", seconds: (performance.now() - startMs) / 1000 });
}

post({ kind: "loaded" });
