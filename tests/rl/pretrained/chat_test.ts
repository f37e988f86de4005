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

/** Doubles a value forty times. */
const GROWS =
  "{% set ns = namespace(v=START) %}{% for i in range(40) %}{% set ns.v = ns.v + ns.v %}{% endfor %}";

/** Small in memory, endless in print. */
const HOLDS_ITSELF_TWICE =
  "{% set ns = namespace(v=START) %}{% for i in range(40) %}{% set ns.v = TWICE %}{% endfor %}";

/** A text of 16384 characters, the longest that may be. */
const LONG =
  "{% set ns = namespace(v='START') %}{% for i in range(13) %}{% set ns.v = ns.v + ns.v %}{% endfor %}";

Deno.test("templates that fail, forget the picture, or never end are refused", async () => {
  const cases: [string, string][] = [
    ["{% for %}", "it fails with"],
    ["{{ raise_exception('no pictures') }}", "no pictures"],
    ["{{ messages[0]['role'] }}", "does not write a picture"],
    ["x".repeat(100_000), "it has 100000 characters"],
    ["{% for a in range(999) %}".repeat(4) + "{% endfor %}".repeat(4), "it takes more than 200000 steps"],
    ["{% for a in range(100000000) %}{% endfor %}", "it makes a list of more than 1024 items"],
    ["{% for a in range(0, 9, 0) %}{% endfor %}", "it makes a list of more than 1024 items"],
    [
      `${GROWS.replace("START", "'xxxxxxxxxxxxxxxx'")}{{ ns.v | upper }}`,
      "it makes a text of more than 16384 characters",
    ],
    [GROWS.replace("START", "[[1]]"), "it makes a list of more than 1024 items"],
    [
      HOLDS_ITSELF_TWICE.replace("START", "[1]").replace("TWICE", "[ns.v, ns.v]") + "{{ ns.v | tojson }}",
      "it makes a value of more than 4096 parts",
    ],
    [
      HOLDS_ITSELF_TWICE.replace("START", "[1]").replace("TWICE", "[ns.v, ns.v, nothing]") +
      "{{ ns.v | tojson }}",
      "it makes a value of more than 4096 parts",
    ],
    [
      HOLDS_ITSELF_TWICE.replace("START", "{}").replace("TWICE", "{'a': ns.v, 'b': ns.v}") + "{{ ns.v }}",
      "it makes a value of more than 4096 parts",
    ],
    [
      "{% set ns = namespace(v=1) %}{% set ns.v = ns %}{{ ns | string }}",
      "it makes a value of more than 4096 parts",
    ],
    [
      `${LONG.replace("START", "xx")}{{ ns.v | replace('x', ns.v) | length }}`,
      "it makes a text of more than 1048576 characters",
    ],
    [
      `${LONG.replace("START", "x\\n")}{{ ns.v | indent(60000) | length }}`,
      "it makes a text of more than 1048576 characters",
    ],
    [
      `${LONG.replace("START", "xx")}{{ range(1000) | join(ns.v) | length }}`,
      "it makes a text of more than 1048576 characters",
    ],
    ["{{ messages | tojson(indent=400000000) }}", "it makes a text of more than 1048576 characters"],
    ["{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "it fails with"],
  ];
  for (const [template, message] of cases) {
    // A busy machine must not refuse them for the time they take.
    await assertRejects(() => readChatForm(template, { image: "<image>" }, 60_000), SyntaxError, message);
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

Deno.test("a template that takes too long is refused, whatever it does", async () => {
  const template = "{% for a in range(999) %}{{ messages }}{% endfor %}";
  await assertRejects(
    () => readChatForm(template, { image: "<image>" }, 0),
    SyntaxError,
    "it takes more than 0 ms",
  );
});
