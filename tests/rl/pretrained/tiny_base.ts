/** A pretrained model small enough to train in a test: the Idefics3 fixture, with the words of an environment. */
import { makeEnv } from "../../../envs/mod.ts";
import { buildTokenizer } from "../../../model/mod.ts";

/** The fixture's folder. */
export const TINY_IDEFICS3 = new URL("../../model/data/pretrained/idefics3-tiny", import.meta.url).pathname;

/** A chat template: roles before, an end behind. */
export const TEMPLATE = "{% for m in messages %}<|reserved_0|>{% for part in m.content %}" +
  "{% if part.type == 'image' %}<|image|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|end|>{% endfor %}" +
  "{% if add_generation_prompt %}<|reserved_1|>{% endif %}";

/** Writes the folder, with changes of its `config.json`. */
export function writeTinyBase(folder: string, changes: Readonly<Record<string, unknown>> = {}): string {
  Deno.mkdirSync(folder, { recursive: true });
  for (const name of ["model.safetensors", "preprocessor_config.json"]) {
    Deno.writeFileSync(`${folder}/${name}`, Deno.readFileSync(`${TINY_IDEFICS3}/${name}`));
  }
  const config = JSON.parse(Deno.readTextFileSync(`${TINY_IDEFICS3}/config.json`));
  const files = {
    "config.json": { ...config, image_token_id: 1, ...changes },
    "tokenizer.json": buildTokenizer(makeEnv("NumberLine").tokens),
    "tokenizer_config.json": { eos_token: "<|end|>", pad_token: "<|pad|>", chat_template: TEMPLATE },
  };
  for (const [name, json] of Object.entries(files)) {
    Deno.writeTextFileSync(`${folder}/${name}`, JSON.stringify(json));
  }
  return folder;
}
