/**
 * The form in which a pretrained model was taught to talk: what stands around a prompt with its picture, and what ends an
 * answer. It comes from the model's chat template, which is rendered once.
 *
 * @module
 */
import { quote } from "../../model/mod.ts";
import type { RenderReply, RenderRequest } from "./chat_worker.ts";

/** What stands around a prompt. Texts may hold special tokens. */
export interface ChatForm {
  /** Before the picture. */
  readonly beforeImage: string;
  /** Between picture and prompt. */
  readonly beforeText: string;
  /** Between prompt and answer. */
  readonly afterText: string;
  /** Behind an answer; empty if the template does not say. */
  readonly afterAnswer: string;
}

/** No template: picture, prompt, answer. */
export const PLAIN_FORM: ChatForm = { beforeImage: "", beforeText: "", afterText: "", afterAnswer: "" };

/** What a template may name, as the folder's `tokenizer_config.json` has it. */
export interface ChatTokens {
  /** What the template writes for a picture. */
  readonly image: string;
  /** Begins a text; empty if there is none. */
  readonly bos?: string;
  /** Ends a text; empty if there is none. */
  readonly eos?: string;
}

/** Stand-ins for prompt and answer, which no template changes: letters alone. */
const PROMPT = "qzpromptzq";
const ANSWER = "qzanswerzq";
const MAX_TEMPLATE = 1 << 16;
/** How much larger the process may grow while a template is rendered: more than any that is meant to be rendered takes. */
const MAX_GROWTH_BYTES = 250e6;
/** Milliseconds between looks at that. */
const MEMORY_LOOK_MS = 20;

/**
 * Finds a template in the files of a folder: `chat_template.jinja`, `chat_template.json`, or `tokenizer_config.json`.
 *
 * @param files Contents by name: text of the first, parsed JSON of the others.
 * @returns null if there is none.
 */
export function findTemplate(files: Readonly<Record<string, unknown>>): string | null {
  const { "chat_template.jinja": plain, "chat_template.json": own, "tokenizer_config.json": config } = files;
  if (typeof plain === "string") return plain;
  for (const json of [own, config]) {
    const template = (json as { chat_template?: unknown } | null | undefined)?.chat_template;
    if (typeof template === "string") return template;
    if (!Array.isArray(template)) continue;
    const byName = template.find((each) => each?.name === "default") ?? template[0];
    if (typeof byName?.template === "string") return byName.template;
  }
  return null;
}

/**
 * Reads the form of a template by rendering a turn of a user with a picture, and the answer to it.
 *
 * @param limitMs Longest time that rendering may take.
 * @throws {SyntaxError} If it cannot be rendered, takes too long or too much memory, or does not keep picture and prompt in
 * their order.
 */
export async function readChatForm(template: string, tokens: ChatTokens, limitMs = 1000): Promise<ChatForm> {
  const refuse = (state: string) =>
    new SyntaxError(`Cannot use the chat template: ${state}, correct it or remove it from the folder`);
  if (template.length > MAX_TEMPLATE) throw refuse(`it has ${template.length} characters`);
  const { image, bos = "", eos = "" } = tokens;
  const shapes: readonly unknown[] = [
    [{ type: "image" }, { type: "text", text: PROMPT }],
    image + PROMPT, // templates of models whose messages are texts
  ];
  const contexts = shapes.flatMap((content) => {
    const common = { bos_token: bos, eos_token: eos };
    const user = { role: "user", content };
    const answer = typeof content === "string" ? ANSWER : [{ type: "text", text: ANSWER }];
    return [
      { ...common, messages: [user], add_generation_prompt: true },
      { ...common, messages: [user, { role: "assistant", content: answer }], add_generation_prompt: false },
    ];
  });
  const replies = await render({ template, contexts }, limitMs, refuse);
  for (let i = 0; i < replies.length; i += 2) {
    const [{ text: asked }, { text: answered }] = replies.slice(i, i + 2);
    const at = asked?.indexOf(PROMPT) ?? -1;
    const imageAt = asked?.indexOf(image) ?? -1;
    if (asked === null || at < 0 || imageAt < 0 || imageAt > at) continue;
    const answerAt = answered?.lastIndexOf(ANSWER) ?? -1;
    return {
      beforeImage: asked.slice(0, imageAt),
      beforeText: asked.slice(imageAt + image.length, at),
      afterText: asked.slice(at + PROMPT.length),
      afterAnswer: answerAt < 0 ? "" : answered!.slice(answerAt + ANSWER.length),
    };
  }
  const asked = replies.filter((_, i) => i % 2 === 0);
  const failed = asked.every(({ text }) => text === null) ? asked[0] : undefined;
  throw refuse(
    failed ? `it fails with ${quote(failed.error)}` : `it does not write a picture (${image}) and a prompt`,
  );
}

async function render(
  request: RenderRequest,
  limitMs: number,
  refuse: (state: string) => SyntaxError,
): Promise<RenderReply> {
  const worker = new Worker(new URL("./chat_worker.ts", import.meta.url), { type: "module" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let memory: ReturnType<typeof setInterval> | undefined;
  const bytesInUse = () => globalThis.Deno?.memoryUsage().rss ?? 0;
  try {
    return await new Promise<RenderReply>((resolve, reject) => {
      worker.onmessage = ({ data }) => {
        if (data !== "begins") return resolve(data);
        // Loading the thread, which may be slow, does not count.
        timer = setTimeout(() => reject(refuse(`it takes more than ${limitMs} ms`)), limitMs);
        const most = bytesInUse() + MAX_GROWTH_BYTES;
        memory = setInterval(() => {
          if (bytesInUse() > most) reject(refuse(`it takes more than ${MAX_GROWTH_BYTES / 1e6} MB`));
        }, MEMORY_LOOK_MS);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(refuse(`it fails with ${quote(event.message)}`));
      };
      worker.postMessage(request);
    });
  } finally {
    clearTimeout(timer);
    clearInterval(memory);
    worker.terminate();
  }
}
