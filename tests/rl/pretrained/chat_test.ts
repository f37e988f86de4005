/** Chat templates of real models, and hostile ones. */
import { assertEquals, assertRejects } from "@std/assert";
import { findTemplate, readChatForm } from "../../../rl/pretrained/chat.ts";

const SMOLVLM = "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}" +
  "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}" +
  "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}" +
  "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}" +
  "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";
const CHATML =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

Deno.test("SmolVLM's form has the picture behind User: and the prompt behind the picture", async () => {
  assertEquals(await readChatForm(SMOLVLM, { image: "<image>" }), {
    beforeImage: "<|im_start|>User:",
    beforeText: "",
    afterText: "<end_of_utterance>\nAssistant:",
    afterAnswer: "<end_of_utterance>\n",
  });
});

Deno.test("a template whose messages are texts has the picture in them", async () => {
  assertEquals(await readChatForm(CHATML, { image: "<|image|>" }), {
    beforeImage: "<|im_start|>user\n",
    beforeText: "",
    afterText: "<|im_end|>\n<|im_start|>assistant\n",
    afterAnswer: "<|im_end|>\n",
  });
});

Deno.test("templates that fail, forget the picture, or never end are refused", async () => {
  const cases: [string, string][] = [
    ["{% for %}", "it fails with"],
    ["{{ raise_exception('no pictures') }}", "no pictures"],
    ["{{ messages[0]['role'] }}", "does not write a picture"],
    ["x".repeat(100_000), "it has 100000 characters"],
    ["{% for a in range(99999) %}".repeat(4) + "{% endfor %}".repeat(4), "it takes more than 500 ms"],
  ];
  for (const [template, message] of cases) {
    // A busy machine must not refuse the others for the time they take.
    const limitMs = message.includes("ms") ? 500 : 60_000;
    await assertRejects(() => readChatForm(template, { image: "<image>" }, limitMs), SyntaxError, message);
  }
});

Deno.test("a folder's template is in one of three files", () => {
  assertEquals(
    findTemplate({ "chat_template.jinja": "a", "chat_template.json": { chat_template: "b" } }),
    "a",
  );
  assertEquals(
    findTemplate({ "chat_template.json": { chat_template: "b" }, "tokenizer_config.json": {} }),
    "b",
  );
  const named = [{ name: "tool_use", template: "t" }, { name: "default", template: "d" }];
  assertEquals(findTemplate({ "tokenizer_config.json": { chat_template: named } }), "d");
  assertEquals(findTemplate({ "tokenizer_config.json": { chat_template: 7 } }), null);
});
