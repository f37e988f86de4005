/** The `play` command: what a step and an end look like, and whole episodes of an untrained run. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { makeEnv } from "../../envs/mod.ts";
import { formatEnd, type PlayedStep, showStep, stepAsJson } from "../../commands/play.ts";
import { gpuTest } from "../gpu.ts";
import { outcomeOf, startCommand, TempFolder, untrainedRun } from "../rl/tiny_run.ts";

/** A step with a response written as these tokens. */
function stepOf(tokens: string[]): PlayedStep {
  const env = makeEnv("NumberLine");
  const state = env.reset({ options: { start: 1, target: 3 } });
  const text = tokens.join("");
  const ends = tokens.map((_, i) => tokens.slice(0, i + 1).join("").length);
  return {
    step: 2,
    situation: { env, info: state.info, observation: state.observation },
    prompt: "Play.",
    decision: {
      prompt: [],
      response: { ids: [], logprobs: new Float32Array(), entropies: new Float32Array(), value: 0.5 },
      decoding: { text, starts: [0, ...ends.slice(0, -1)], ends },
      parse: env.parse(text),
      judgement: env.judge(text),
    },
    action: "+",
    value: 0.5,
    reward: 0,
    episodeReturn: -1,
    terminated: false,
    truncated: false,
    goalReached: false,
    success: false,
  };
}

async function shown(step: PlayedStep, colors: boolean): Promise<string> {
  let text = "";
  await showStep(step, { write: (part) => void (text += part), columns: 40, colors, delayMs: 0 });
  return text;
}

const WORDS = ['{"current number": "1", "target number": "3", ', '"thoughts": "so', '", "action": "+"}'];

Deno.test("a step shows the picture, the text, the action, the reward and the value", async () => {
  const text = await shown(stepOf(WORDS), false);
  assertEquals(text.startsWith("Step 2\n"), true);
  assertEquals(text.endsWith(`\n${WORDS.join("")}\n-> action +   reward 0   value 0.50\n\n`), true, text);
  assert(/[@#%]/.test(text.split("\n").slice(1, 10).join("\n")), "there is a picture");
  assert(!/^\s*$\n^\s*$/m.test(text.trimEnd().slice(0, 40)), "without blank margins");
  // deno-lint-ignore no-control-regex
  assertEquals(/\x1b/.test(text), false);
});

Deno.test("on 80 x 24 the whole step shows: the frame is made smaller, and no line is too long", async () => {
  let text = "";
  const write = (part: string) => void (text += part);
  await showStep(stepOf(WORDS), {
    write,
    columns: 60,
    frameLines: 17,
    textColumns: 80,
    colors: true,
    delayMs: 0,
  });
  // deno-lint-ignore no-control-regex
  const lines = text.replace(/\x1b\[[\d;]*m/g, "").trimEnd().split("\n");
  assertEquals(lines.filter((line) => line.includes("▀")).length, 17);
  assert(lines.length <= 22, text);
  assert(lines.every((line) => line.length <= 80), text);
  assertStringIncludes(lines.join(" "), WORDS.join(""));
});

Deno.test("in colour the action is highlighted where it stands in the text", async () => {
  const text = await shown(stepOf(WORDS), true);
  assertStringIncludes(text, '"thoughts": "so", "action": "\x1b[1;32m+\x1b[0m"}\n');
});

Deno.test("a token that is cut by the ends of the action, and none at all, are shown whole", async () => {
  assertStringIncludes(
    await shown(stepOf(['"action": "', "+", '"}']), true),
    '"action": "\x1b[1;32m+\x1b[0m"}\n',
  );
  const nothing = await shown(stepOf(["I do not know"]), false);
  assertStringIncludes(nothing, "\nI do not know\n-> no action found, + drawn at random   reward 0");
});

Deno.test("the end says the return and why it ended", () => {
  const step = stepOf(WORDS);
  assertEquals(
    formatEnd({ ...step, truncated: true }),
    "Return -1 after 2 steps: no success, the step limit was reached.",
  );
  assertEquals(
    formatEnd({ ...step, step: 1, episodeReturn: 1, terminated: true, goalReached: true, success: true }),
    "Return 1 after 1 step: success, the goal was reached.",
  );
  assertEquals(
    formatEnd({ ...step, terminated: true }),
    "Return -1 after 2 steps: no success, the goal was missed.",
  );
  // Where only the goal counts, rewards on the way there are no success.
  assertEquals(
    formatEnd({ ...step, episodeReturn: 12.5, truncated: true }),
    "Return 12.5 after 2 steps: no success, the step limit was reached.",
  );
});

Deno.test("a step as JSON names what was seen, written, done and earned", () => {
  assertEquals(stepAsJson(stepOf(WORDS)), {
    step: 2,
    prompt: "Play.",
    state: { current: 1, target: 3, goalReached: false },
    text: WORDS.join(""),
    action: "+",
    parsed: true,
    value: 0.5,
    reward: 0,
    return: -1,
    perception: 1,
    faithful: false,
    terminated: false,
    truncated: false,
    goal_reached: false,
    success: false,
  });
});

gpuTest("play shows a held-out episode to its end, the same one for one seed", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  await untrainedRun(run);
  const play = (...args: string[]) => outcomeOf(startCommand("play", ["--run", run, ...args]));
  const [plain, json, again] = await Promise.all([
    play("--seed", "5"),
    play("--seed", "5", "--json"),
    play("--seed", "5", "--json"),
  ]);
  assertEquals([plain.code, json.code], [0, 0], plain.err + json.err);
  assertEquals(json.out, again.out);

  const steps = json.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(steps.map(({ step }) => step), steps.map((_, i) => i + 1));
  assertEquals(
    steps.map(({ terminated, truncated }) => terminated || truncated).indexOf(true),
    steps.length - 1,
  );
  const last = steps.at(-1);
  assertEquals(last.return, steps.reduce((sum, { reward }) => sum + reward, 0));
  assertEquals(last.success, last.return > 0);

  // The prompt once, every step, every response, the end.
  assertEquals(plain.out.split("You are playing a game called number line.").length - 1, 1);
  assertEquals(plain.out.match(/^Step \d+$/gm)?.length, steps.length);
  for (const { text } of steps) assertStringIncludes(plain.out, `\n${text}\n`);
  assertStringIncludes(plain.out, `Return ${last.return} after ${steps.length} step`);
  assertStringIncludes(plain.err, `NumberLine, held-out episode 5, sampled at temperature 0.4: ${run} on `);
  // deno-lint-ignore no-control-regex
  assertEquals(/\x1b/.test(plain.out), false, "no escape codes where stdout is no terminal");
});
