/**
 * Image tokens that are computed once. While vision encoder and projector do not change, equal pictures have equal tokens.
 *
 * @module
 */
import type { Slice } from "../kernels/gpu/mod.ts";
import { deriveSizes } from "./config.ts";
import type { Picture } from "./picture.ts";
import { Tape } from "./tape/mod.ts";
import type { Vlm } from "./vlm.ts";

/** Patches of one pass of the encoder, or one picture. A pass always has as many pictures, so a picture's values are the same in each. */
const PASS_PATCHES = 1024;
/** Bytes that are kept by default: 1,800 pictures of SmolVLM-256M. Then the pictures go that were not used for longest. */
const MOST_BYTES = 256 * 2 ** 20;

/** The image tokens of pictures, on the host, for one state of the weights. */
export class Features {
  readonly #vlm: Vlm;
  readonly #mostBytes: number;
  /** (P*C) of each picture by its id, in the order of their last use. */
  readonly #known = new Map<string, Float32Array>();
  #version = -1;

  /** Keeps at most so many bytes, and what the last call of {@linkcode Features.compute} asked for. */
  constructor(vlm: Vlm, mostBytes: number = MOST_BYTES) {
    this.#vlm = vlm;
    this.#mostBytes = mostBytes;
  }

  /** Computes the image tokens of pictures that have none yet. */
  async compute(pictures: readonly Picture[]): Promise<void> {
    this.#forgetOld();
    const { gpu, config } = this.#vlm;
    const wanted = new Map(pictures.map((picture) => [picture.id, picture]));
    for (const id of wanted.keys()) this.#use(id);
    const unknown = [...wanted.values()].filter(({ id }) => !this.#known.has(id));
    const images = Math.max(1, Math.floor(PASS_PATCHES / deriveSizes(config).patches));
    const bytes = config.imageSize ** 2 * 3;
    const step = {
      name: "features",
      owner: this.#vlm,
      run: (inputs: { pixels: Uint8Array; images: number }): Slice[] => {
        using tape = new Tape(gpu, { record: false });
        return [this.#vlm.imageTokens(tape, inputs).data];
      },
    };
    for (let first = 0; first < unknown.length; first += images) {
      const some = unknown.slice(first, first + images);
      const pixels = new Uint8Array(images * bytes);
      for (let i = 0; i < images; i++) pixels.set((some[i] ?? some[0]).pixels, i * bytes);
      const [words] = await gpu.plans.run(step, { pixels, images });
      const each = words.length / images;
      some.forEach(({ id }, i) => this.#known.set(id, words.slice(i * each, (i + 1) * each)));
    }
    let kept = 0;
    for (const { byteLength } of this.#known.values()) kept += byteLength;
    for (const [id, { byteLength }] of this.#known) {
      if (kept <= this.#mostBytes || wanted.has(id)) break;
      this.#known.delete(id);
      kept -= byteLength;
    }
  }

  /** The image tokens of the pictures, one after another; null if some have none yet. */
  of(pictures: readonly Picture[]): Float32Array | null {
    this.#forgetOld();
    const all = pictures.map(({ id }) => this.#known.get(id));
    if (!all.every((words) => words !== undefined)) return null;
    const each = all[0]?.length ?? 0;
    const words = new Float32Array(all.length * each);
    all.forEach((own, i) => words.set(own, i * each));
    return words;
  }

  #use(id: string): void {
    const words = this.#known.get(id);
    if (words === undefined) return;
    this.#known.delete(id);
    this.#known.set(id, words);
  }

  /** Forgets all if the weights have changed. */
  #forgetOld(): void {
    const { version } = this.#vlm.parameters;
    if (version !== this.#version) this.#known.clear();
    this.#version = version;
  }
}
