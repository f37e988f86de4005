/**
 * How a pretrained model is talked to: its tokenizer, its chat form, and how its image processor shows it a frame.
 *
 * @module
 */
import type { Observation } from "../../envs/mod.ts";
import { deriveSizes, type Segment, type Tokenizer, type VlmConfig } from "../../model/mod.ts";
import type { ChatForm } from "./chat.ts";
import { type ImageProcessor, imagePrompt, type ImageTokens, tilesOf } from "./image_processor.ts";

/** What is needed to talk to a model. */
export interface Talk {
  /** The model's own. */
  readonly tokenizer: Tokenizer;
  /** What stands around a prompt. */
  readonly form: ChatForm;
  /** How frames become its pictures. */
  readonly processor: ImageProcessor;
  /** How a prompt says where pictures stand; null if pictures stand before all text. */
  readonly imageTokens: ImageTokens | null;
}

/** Prompts in a model's form. */
export class Prompts {
  readonly #talk: Talk;
  readonly #imageCount: number;
  /** Ids around the pictures, by text and tiles: most tasks have few prompts. */
  readonly #known = new Map<string, number[][]>();
  readonly #pictures = new WeakMap<Uint8Array, ReturnType<typeof tilesOf>>();

  /** Makes prompts for a model of these sizes. */
  constructor(talk: Talk, model: VlmConfig) {
    this.#talk = talk;
    this.#imageCount = deriveSizes(model).imageTokens;
  }

  /** The prompt that shows a frame and asks a text. */
  of(frame: Observation, text: string): Segment[] {
    let tiles = this.#pictures.get(frame.data);
    if (tiles === undefined) {
      this.#pictures.set(frame.data, tiles = tilesOf(frame, this.#talk.processor));
    }
    const key = `${tiles.rows} ${tiles.columns} ${text}`;
    let parts = this.#known.get(key);
    if (parts === undefined) {
      parts = this.#encode(tiles, text);
      if (this.#known.size < 4096) this.#known.set(key, parts);
    }
    const { pictures } = tiles;
    return parts.flatMap((ids, i): Segment[] => [
      ...ids.length > 0 ? [{ kind: "text", ids } as const] : [],
      ...i < pictures.length ? [{ kind: "image", picture: pictures[i] } as const] : [],
    ]);
  }

  /** Ids before the first picture, between two of them, and behind the last. */
  #encode(tiles: ReturnType<typeof tilesOf>, text: string): number[][] {
    const { tokenizer, form: { beforeImage, beforeText, afterText }, imageTokens } = this.#talk;
    const { pictures } = tiles;
    if (imageTokens === null) {
      const ids = tokenizer.encode(beforeImage + beforeText + text + afterText).ids;
      return [...pictures.map(() => []), ids];
    }
    const image = imagePrompt(tiles, this.#imageCount, imageTokens);
    const head = tokenizer.encode(beforeImage + image + beforeText + text + afterText).ids;
    const parts: number[][] = [[]];
    for (let i = 0; i < head.length;) {
      if (head[i] === tokenizer.imageId && parts.length <= pictures.length) {
        parts.push([]);
        i += this.#imageCount;
      } else parts[parts.length - 1].push(head[i++]);
    }
    return parts;
  }
}
