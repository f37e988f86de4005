/**
 * Renders a chat template in a thread of its own, which can be ended: a template from a stranger may loop for ever.
 *
 * @module
 */
import { Template } from "@huggingface/jinja";

/** What is rendered. */
export interface RenderRequest {
  readonly template: string;
  readonly contexts: readonly Record<string, unknown>[];
}

/** The texts, in order. One that cannot be rendered is null, and the error says why. */
export type RenderReply = readonly { readonly text: string | null; readonly error: string }[];

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<RenderRequest>) => void;
  postMessage: (reply: RenderReply | "begins") => void;
};

scope.onmessage = ({ data: { template, contexts } }) => {
  scope.postMessage("begins");
  scope.postMessage(contexts.map((context) => {
    try {
      return { text: new Template(template).render(context), error: "" };
    } catch (error) {
      return { text: null, error: error instanceof Error ? error.message : String(error) };
    }
  }));
};
