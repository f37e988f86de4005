import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Random } from "../../envs/mod.ts";
import { buildTokenizer, modelPresets, promptLength, Tokenizer, type VlmConfig } from "../../model/mod.ts";
import { type Example, PretrainingData } from "../../scripts/pretraining_data.ts";

const tokenizer = Tokenizer.fromJson(buildTokenizer(PretrainingData.pieces));
const config: VlmConfig = {
  ...modelPresets["nano-llama"],
  imageNormalization: "fixed",
  vocabularySize: tokenizer.vocabularySize,
};
const data = new PretrainingData(config, tokenizer);

function drawn(count: number, part: "learnt" | "held-out" = "learnt"): Example[] {
  const random = new Random(0, "test");
  return Array.from({ length: count }, () => data.draw(random, { part }));
}

const examples = drawn(400);

function textOf({ prompt }: Example): string {
  return prompt.map((part) => part.kind === "text" ? tokenizer.decode(part.ids) : "").join("");
}

Deno.test("the pretraining shows all tasks and asks everything, and every example fits the smallest model", () => {
  const kinds = new Set(examples.map(({ task, kind }) => `${task} ${kind}`));
  for (const task of ["NumberLine", "EZPoints", "Points24", "Blackjack", "Household"]) {
    for (const kind of ["caption", "question", "repeat"]) {
      // Nothing about a household has a short answer.
      assertEquals(
        kinds.has(`${task} ${kind}`),
        task !== "Household" || kind !== "question",
        `${task} ${kind}`,
      );
    }
  }
  for (const { prompt, response } of examples) {
    assert(promptLength(prompt, config) + response.length <= config.contextLength);
    assertEquals(response.at(-1), tokenizer.endId);
  }
});

Deno.test("the same stream draws the same examples of the pretraining, and held-out ones are others", () => {
  assertEquals(drawn(20), examples.slice(0, 20));
  const answers = (each: readonly Example[]) => each.map(({ response }) => response);
  assertNotEquals(answers(drawn(20, "held-out")), answers(examples.slice(0, 20)));
});

Deno.test("captions and answers of the pretraining agree about a picture", () => {
  const stated = new Map<string, Set<string>>();
  let answered = 0;
  for (const example of examples) {
    if (example.task !== "NumberLine" || example.kind === "repeat") continue;
    const [{ picture }] = example.prompt.filter((part) => part.kind === "image");
    const answer = tokenizer.decode(example.response);
    for (const name of ["current", "target"]) {
      const said = example.kind === "caption"
        ? new RegExp(`"${name} number": "(\\d)`).exec(answer)?.[1]
        : textOf(example).endsWith(`What is the ${name} number?`)
        ? /^\d/.exec(answer)?.[0]
        : undefined;
      if (example.kind === "caption") assert(said !== undefined, answer);
      if (said === undefined) continue;
      answered++;
      const key = `${name} ${picture.id}`;
      stated.set(key, (stated.get(key) ?? new Set()).add(said));
    }
  }
  assert(answered > 2 * stated.size, "too few examples show the same picture");
  for (const [key, numbers] of stated) assertEquals(numbers.size, 1, key);
});

Deno.test("NumberLine is shown more often in the later part of the pretraining", () => {
  const shareOf = (isLater: boolean) => {
    const random = new Random(1, "test");
    const tasks = Array.from({ length: 200 }, () => data.draw(random, { isLater }).task);
    return tasks.filter((task) => task === "NumberLine").length / tasks.length;
  };
  assert(shareOf(false) < 0.4 && shareOf(true) > 0.4, `${shareOf(false)} and ${shareOf(true)}`);
});

Deno.test("a text to repeat stands in its prompt", () => {
  for (const example of examples.filter(({ kind }) => kind === "repeat")) {
    const answer = tokenizer.decode(example.response.slice(0, -1));
    assert(answer.length > 0 && textOf(example).endsWith(answer), textOf(example));
  }
});
