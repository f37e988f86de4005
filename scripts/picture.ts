/**
 * Draws the README's picture: a frame, the trained model's response to it, and the learning curve.
 *
 *     deno run -R -W -E --allow-ffi --allow-sys scripts/picture.ts --run runs/NumberLine-s0 --out docs/number_line.png
 *
 * @module
 */
import { createCanvas, GlobalFonts, Image, type SKRSContext2D } from "@napi-rs/canvas";
import { fileURLToPath } from "node:url";
import { openGpu } from "../kernels/gpu/mod.ts";
import { makeEnv, type Observation } from "../envs/mod.ts";
import { parseOptions } from "../rl/cli/mod.ts";
import { loadAgent } from "../rl/run/checkpoint.ts";
import { learningCurve } from "../rl/report/plot.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { movingAverage } from "../rl/report/statistics.ts";

const { values: { run, out } } = parseOptions(Deno.args, {
  run: { type: "path", isRun: true, default: "runs/NumberLine-s0", meaning: "trained run" },
  out: { type: "path", default: "docs/number_line.png", meaning: "picture to write" },
});
/** A held-out episode that begins below its target. */
const SEED = 2_000_000_010;
const WIDTH = 1120, HEIGHT = 420, MARGIN = 24, FRAME = 260;

const folder = await RunFolder.open(run);
const config = await folder.readConfig();
const checkpoint = await folder.checkpointPath();
if (checkpoint === null) throw new Error(`Cannot draw ${run}: it has no checkpoint`);
const gpu = await openGpu();
const agent = await loadAgent(gpu, checkpoint);
const env = makeEnv(String(config.env));
const { observation, info } = env.reset({ seed: SEED });
const [decision] = await agent.respond([{ env, observation, info }], {
  temperature: Number(config.temperature),
  greedy: true,
  maxNewTokens: Number(config.maxNewTokens),
  random: new Uint32Array([0, 0]),
});
gpu.destroy();

const lines = (await folder.readMetrics()).filter(({ stage, success }) => stage === "rl" && success !== null);
const x = lines.map(({ envSteps }) => Number(envSteps));
const svg = await learningCurve([
  { name: "success", x, y: movingAverage(lines.map(({ success }) => Number(success)), 3) },
  {
    name: "faithful",
    x,
    y: movingAverage(lines.map(({ faithfulness }) => Number(faithfulness)), 3),
  },
], {
  title: "PPO on the whole VLM",
  xLabel: "environment steps",
  yLabel: "share, mean of 3 iterations",
  yDomain: [0, 1],
  yFormat: "%",
  width: 400,
  height: 270,
});

registerFont("DejaVuSans-Bold.ttf", "Bold");
registerFont("DejaVuSansMono.ttf", "Mono");
const canvas = createCanvas(WIDTH, HEIGHT);
const context = canvas.getContext("2d");
context.fillStyle = "white";
context.fillRect(0, 0, WIDTH, HEIGHT);
drawFrame(context, observation);
drawResponse(context, decision.decoding.text, decision.parse);
const curve = await loadSvg(svg);
context.drawImage(curve, WIDTH - MARGIN - curve.width, MARGIN);
await Deno.writeFile(out, canvas.toBuffer("image/png"));
console.error(`Wrote ${out}: ${decision.decoding.text}`);

function registerFont(file: string, family: string): void {
  GlobalFonts.registerFromPath(fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${file}`)), family);
}

function loadSvg(text: string): Promise<Image> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = reject;
    image.src = new TextEncoder().encode(text);
  });
}

function drawFrame(context: SKRSContext2D, { width, height, data }: Observation): void {
  const picture = createCanvas(width, height);
  const pixels = picture.getContext("2d").createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    pixels.data.set([data[3 * i], data[3 * i + 1], data[3 * i + 2], 255], 4 * i);
  }
  picture.getContext("2d").putImageData(pixels, 0, 0);
  context.drawImage(picture, MARGIN, MARGIN, FRAME, FRAME);
  context.strokeStyle = "#d0d7de";
  context.strokeRect(MARGIN, MARGIN, FRAME, FRAME);
}

/** Draws the response as it was written, then the action in large letters. */
function drawResponse(
  context: SKRSContext2D,
  text: string,
  { start, end }: { start: number; end: number },
): void {
  const left = MARGIN + FRAME + 28;
  context.fillStyle = "#57606a";
  context.font = "14px Mono";
  const shown = text.replaceAll(', "', ',\n"');
  let y = MARGIN + 30;
  context.fillText("the model writes:", left, y);
  context.fillStyle = "#24292f";
  for (const line of shown.split("\n")) {
    for (const piece of wrap(line, 34)) context.fillText(piece, left, y += 24);
  }
  context.fillText("parsed to the action", left, y += 44);
  context.fillStyle = "#0969da";
  context.font = "44px Bold";
  context.fillText(text.slice(start, end), left, y + 50);
}

function* wrap(line: string, columns: number): Generator<string> {
  let rest = line;
  while (rest.length > columns) {
    const cut = rest.lastIndexOf(" ", columns);
    const at = cut <= 0 ? columns : cut;
    yield rest.slice(0, at);
    rest = `  ${rest.slice(at).trimStart()}`;
  }
  yield rest;
}
