/// <reference lib="dom" />
/**
 * The playground's page: what is shown, and what the visitor asks the Worker for.
 *
 * @module
 */
import { Chart, COLORS } from "./chart.ts";
import { FRESH, fromLink, type Shared, toLink } from "./link.ts";
import { DEMO_ENVIRONMENT, type EnvironmentName, TASKS } from "./environments.ts";
import type { Choice, Message, PlayChoice, Point, Request } from "./protocol.ts";
import type { frameOf, Recorded } from "./recorded.ts";
import { element, Stage } from "./stage.ts";

const WITHOUT_WEBGPU =
  "This browser has no WebGPU, so what you see here was recorded. Chrome and Edge from version 113, " +
  "Safari from 26 and Firefox from 141 (on Windows; on macOS from 145) have it, on most machines with a GPU.";
const NAMES: Readonly<Record<string, string>> = {
  demonstrations: "Watching a clumsy teacher",
  sft: "Imitating the teacher",
  rl: "Learning from reward",
  "evaluation after sft": "Testing what imitation gave",
  "evaluation after rl": "Testing what reward gave",
};

/** A training run of this visit. */
interface Run {
  readonly choice: Choice;
  readonly points: Point[];
  /** How far it is, or what it reached. */
  state: string;
}

const stage = new Stage();
const chart = new Chart(element("chart"));
const runs: Run[] = [];
const link = fromLink(location.hash);
let shared: Shared = link.shared;
let isTraining = false;
let isPlaying = false;
/** When the stage of training under way began, to tell how long is left. */
let clock = { of: "", sinceMs: 0 };

const input = (id: string) => element<HTMLInputElement>(id);
const select = (id: string) => element<HTMLSelectElement>(id);
const button = (id: string) => element<HTMLButtonElement>(id);

function notice(text: string): void {
  const box = document.createElement("p");
  box.className = "notice";
  box.textContent = text;
  element("notices").append(box);
}

/** Shows the state in the controls, and in the address. */
function show(changes: Partial<Shared> = {}): void {
  shared = { ...shared, ...changes };
  input("lambda").value = String(shared.lambda);
  element("lambda-value").textContent = String(shared.lambda);
  input("seed").value = String(shared.seed);
  select("budget").value = shared.budget;
  select("env").value = shared.env;
  element("task").textContent = TASKS[shared.env];
  choosePolicies();
  input("greedy").checked = shared.greedy;
  const address = toLink(shared);
  history.replaceState(
    null,
    "",
    address === toLink(FRESH) ? location.pathname + location.search : `#${address}`,
  );
}

/** Which policies there are for the environment. */
function choosePolicies(): void {
  const [demo, trained] = select("policy").options;
  demo.disabled = shared.env !== DEMO_ENVIRONMENT;
  trained.disabled = trainedOn !== shared.env;
  if (select("policy").selectedOptions[0].disabled) {
    select("policy").value = demo.disabled ? trained.disabled ? "solver" : "trained" : "demo";
  }
}

function enable(): void {
  button("train").disabled = !isLoaded || !hasGpu || isTraining;
  button("stop").disabled = !isTraining;
  for (const id of ["play", "again"]) {
    button(id).disabled = isPlaying || isTraining || !isLoaded && recorded === null;
  }
}

let worker: Worker | null = null;
/** Does the Worker hear requests? It does not while it loads. */
let isLoaded = false;
/** Whether policies can think here. */
let hasGpu = navigator.gpu !== undefined;
/** The environment of the policy that was trained here. */
let trainedOn: EnvironmentName | null = null;
let recorded: Recorded & { readonly frameOf: typeof frameOf } | null = null;
const ask = (request: Request) => worker?.postMessage(request);

/** Plays an episode: on the GPU, or a recorded one. */
function play(episode: number): void {
  show({ episode });
  stage.begin();
  const policy = select("policy").value as PlayChoice["policy"];
  const isLive = isLoaded && (hasGpu || policy === "solver");
  element("source").textContent = isLive ? `live, episode ${episode}` : "recorded";
  if (isLive) {
    isPlaying = true;
    enable();
    ask({ kind: "play", env: shared.env, policy, episode, greedy: shared.greedy });
    return;
  }
  if (recorded === null || recorded.episodes.length === 0) return;
  for (const step of recorded.episodes[episode % recorded.episodes.length]) {
    stage.add(step, recorded.frameOf(step));
  }
}

function train(): void {
  const seed = Math.min(999_999, Math.max(0, Math.floor(Number(input("seed").value)) || 0));
  show({ seed });
  const { env, lambda, budget } = shared;
  const choice = { env, lambda, seed, budget };
  runs.push({ choice, points: [], state: "under way" });
  isTraining = true;
  clock = { of: "", sinceMs: performance.now() };
  element("stage-name").textContent = "Compiling kernels";
  showRuns();
  enable();
  ask({ kind: "train", choice });
}

function showRuns(): void {
  chart.show(runs.map(({ points }) => points));
  element("runs").replaceChildren(...runs.map(({ choice, state }, i) => {
    const item = document.createElement("li");
    const dot = document.createElement("i");
    dot.style.background = COLORS[i % COLORS.length];
    item.append(dot, `${choice.env}, λ ${choice.lambda}, seed ${choice.seed}, ${choice.budget}: ${state}`);
    return item;
  }));
}

function endTraining(state: string): void {
  isTraining = false;
  runs.at(-1)!.state = state;
  element("left").textContent = "";
  showRuns();
  enable();
}

function progress({ of, step, total, loss }: Message & { kind: "progress" }): void {
  if (clock.of !== of) clock = { of, sinceMs: performance.now() };
  element("stage-name").textContent = NAMES[of] ?? of;
  element<HTMLProgressElement>("bar").value = total === 0 ? 0 : step / total;
  const left = step === 0 ? Infinity : (performance.now() - clock.sinceMs) / 1000 * (total - step) / step;
  // The first steps compile kernels, so that their time says nothing about the rest.
  element("left").textContent = step < 5 || !Number.isFinite(left) ? "" : `${duration(left)} left`;
  element("detail").textContent = `${step.toLocaleString()} of ${total.toLocaleString()}` +
    (loss === undefined ? "" : `, loss ${loss.toFixed(3)}`);
}

const duration = (seconds: number) =>
  seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

function receive(message: Message): void {
  switch (message.kind) {
    case "loaded":
      isLoaded = true;
      enable();
      if (hasGpu) ask({ kind: "open" });
      else void showRecorded("");
      break;
    case "opened":
      element("adapter").textContent = `On ${message.adapter}: ${
        (message.parameters / 1e6).toFixed(2)
      } million weights`;
      play(shared.episode);
      break;
    case "failed":
      if (message.while === "open") return void showRecorded(message.message);

      notice(message.message);
      if (message.while === "train") endTraining("failed");
      isPlaying = false;
      enable();
      break;
    case "scene":
      stage.scene(message.info, message.frame);
      break;
    case "step":
      stage.add(message.step, message.frame);
      break;
    case "played":
      isPlaying = false;
      enable();
      break;
    case "working":
      if (isPlaying) {
        const waiting = document.getElementById("waiting");
        if (waiting !== null && message.seconds > 0) {
          waiting.textContent = `The kernels are compiled for this GPU, once: ${message.seconds} s …`;
        }
      }
      if (!isTraining || clock.of !== "" && clock.of !== "demonstrations") break;
      element("detail").textContent = `${message.pipelines} kernels asked for, ${message.seconds} s`;
      break;
    case "progress":
      progress(message);
      break;
    case "point":
      runs.at(-1)!.points.push(message.point);
      showRuns();
      break;
    case "evaluation": {
      const after = message.after === "sft" ? "after imitation" : "after reward";
      runs.at(-1)!.state = `${after} ${percent(message.greedy)} greedy, ${percent(message.sampled)} sampled`;
      showRuns();
      break;
    }
    case "note":
      element("detail").textContent = message.text;
      break;
    case "trained":
      element("stage-name").textContent = `Trained in ${duration(message.seconds)}`;
      trainedOn = runs.at(-1)!.choice.env;
      show({ env: trainedOn });
      select("policy").value = "trained";
      endTraining(runs.at(-1)!.state);
      play(shared.episode);
      break;
    case "stopped":
      element("stage-name").textContent = "Stopped";
      endTraining("stopped");
  }
}

/** Without a GPU: what was recorded. */
async function showRecorded(why: string): Promise<void> {
  hasGpu = false;
  element("adapter").textContent = "No WebGPU here: recorded episodes";
  notice(navigator.gpu === undefined ? WITHOUT_WEBGPU : `${why}. ${WITHOUT_WEBGPU}`);
  input("greedy").disabled = true;
  select("policy").options[0].textContent = "trained, recorded";
  try {
    // Loaded only here: it draws pictures, and so waits for the fonts.
    const { frameOf, loadRecorded } = await import("./recorded.ts");
    recorded = { ...await loadRecorded(), frameOf };
    runs.push({
      choice: { env: DEMO_ENVIRONMENT, lambda: 0.5, seed: 0, budget: "full" },
      points: [...recorded.curve],
      state: "recorded",
    });
    showRuns();
    enable();
    play(shared.episode);
  } catch (error) {
    notice((error as Error).message);
  }
}

select("env").append(
  ...Object.keys(TASKS).map((name) => Object.assign(document.createElement("option"), { textContent: name })),
);
select("env").onchange = () => {
  show({ env: select("env").value as EnvironmentName });
  play(shared.episode);
};
input("lambda").oninput = () => show({ lambda: Number(input("lambda").value) });
select("budget").onchange = () => show({ budget: select("budget").value as Choice["budget"] });
input("greedy").onchange = () => show({ greedy: input("greedy").checked });
button("play").onclick = () => play(shared.episode + 1);
button("again").onclick = () => play(shared.episode);
select("policy").onchange = () => play(shared.episode);
button("stop").onclick = () => {
  element("stage-name").textContent = "Stopping…";
  ask({ kind: "stop" });
};
element("train-form").onsubmit = (event) => {
  event.preventDefault();
  train();
};
button("share").onclick = async () => {
  const url = `${location.origin}${location.pathname}#${toLink(shared)}`;
  try {
    await navigator.clipboard.writeText(url);
    button("share").textContent = "Copied";
  } catch {
    prompt("Copy this link:", url);
  }
  setTimeout(() => button("share").textContent = "Copy link", 1500);
};
addEventListener("hashchange", () => {
  const { shared: next, fault } = fromLink(location.hash);
  if (fault !== null) notice(fault);
  const isOther = next.env !== shared.env || next.episode !== shared.episode;
  show(next);
  if (isOther && !isTraining) play(next.episode);
});

if (link.fault !== null) notice(link.fault);
show();
showRuns();
worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }: MessageEvent<Message>) => receive(data);
worker.onerror = ({ message }) => {
  notice(`The Worker failed: ${message}`);
  enable();
};
enable();
