/**
 * What a transformer block is to the rest of the model: a kind, by name in a model's config. Vision encoders have `gpt`
 * blocks; the language model has the kind that its config names.
 *
 * A kind that is added here takes one file in `blocks/` and one row of the table below; `registerBlock` adds one from
 * outside.
 *
 * @module
 */
import type { Slice } from "../kernels/gpu/mod.ts";
import { gptBlock } from "./blocks/gpt.ts";
import { llamaBlock } from "./blocks/llama.ts";
import type { VlmConfig } from "./config.ts";
import type { DecodingState } from "./decode.ts";
import type { LoraConfig } from "./lora.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import { quote } from "./quote.ts";
import type { Tape, Tensor } from "./tape/mod.ts";
import type { Vlm } from "./vlm.ts";

/** How a block's positions exchange information: packed QKV (..,C+2E) with rows [q | k | v] -> (..,C). */
export type Attend = (QKV: Tensor) => Tensor;

/** Sizes of a stack of blocks. */
export interface BlockSizes {
  /** C */
  readonly width: number;
  /** H */
  readonly heads: number;
  /** Blocks of the stack. */
  readonly layers: number;
  /** K, heads of keys and values; H when absent. */
  readonly keyValueHeads?: number;
  /** D, size of a head; C / H when absent. */
  readonly headSize?: number;
  /** Width inside the MLP; 4 C when absent. */
  readonly inner?: number;
  /** Adapters of the stack's linear layers, for kinds that have any. */
  readonly lora?: LoraConfig;
}

/** What a block runs in, beside its parameters. */
export interface BlockContext {
  /** Sizes of the stack that the block belongs to. */
  readonly sizes: BlockSizes;
  /** What it exchanges information by. */
  readonly attend: Attend;
  /** u32, the position of each row of X: for kinds that rotate by it. */
  readonly positions: Slice;
  /** (positions, D) rows [cos | sin], if the model's blocks turn by position. */
  readonly rotaryTable?: Slice;
  /** Added to the variance in norms. */
  readonly epsilon: number;
  /**
   * The rows of X that the result has; all by default. Other rows end with the attention, since nothing reads them any
   * more.
   */
  readonly rows?: Int32Array;
}

/** How much a block has to do. */
export interface BlockWork {
  /** Sequences. */
  readonly B: number;
  /** Positions of each. */
  readonly T: number;
  /** Rows that go on after the attention, at most B T. */
  readonly rows: number;
}

/** A kind of block, with the norm that follows the last one. */
export interface BlockKind {
  /** As a config's `block` has it. */
  readonly name: string;
  /** Whether embeddings need learned positions; false for a kind that tells them apart by itself. */
  readonly learnsPositions: boolean;
  /** Parameters of one block, all named `${name}.…`, in data-flow order. */
  specs(name: string, sizes: BlockSizes): ParameterSpec[];
  /** One block: X (..,C) -> (..,C), or (rows,C) of the context's rows. */
  forward(tape: Tape, parameters: Parameters, name: string, X: Tensor, context: BlockContext): Tensor;
  /** Floating-point operations of one block's forward: those of its matrix products, as is usual. */
  flops(sizes: BlockSizes, work: BlockWork): number;
  /** Parameters of the norm after the last block. */
  normSpecs(name: string, width: number): ParameterSpec[];
  /** The norm after the last block: (..,C) -> (..,C). */
  norm(tape: Tape, parameters: Parameters, name: string, X: Tensor, epsilon: number): Tensor;
  /**
   * A faster decoding step than block by block, (B) tokens -> logits (B,V), if there is one for this model on its adapter;
   * else null.
   */
  fastDecode?(vlm: Vlm, decoding: DecodingState): ((step: Tape) => Tensor) | null;
}

/** Most bytes of a stack's activations that stay in memory, on a software adapter and on a GPU; until backward, or without one. */
const MOST_ACTIVATIONS = { software: 2 ** 29, hardware: 2 ** 31 } as const;
const MOST_UNRECORDED = 2 ** 27;

/**
 * Runs one block as it is or, if the activations of its whole stack ask for it, as a segment of the tape: with equal results in
 * less memory.
 *
 * @param words Words that a row of the stack keeps.
 */
export function runBlock(
  tape: Tape,
  X: Tensor,
  { rows, words }: { rows: number; words: number },
  run: (tape: Tape, X: Tensor) => Tensor,
): Tensor {
  const most = tape.records
    ? MOST_ACTIVATIONS[tape.gpu.isSoftware ? "software" : "hardware"]
    : MOST_UNRECORDED;
  return 4 * rows * words > most ? tape.segment(X, run) : run(tape, X);
}

/** About how many words of activations a row keeps in a stack of blocks: what matrices write, and as much between them. */
export function activationWords(kind: BlockKind, sizes: BlockSizes): number {
  const columns = kind.specs("language", sizes).map(({ shape }) => shape.length === 2 ? shape[1] : 0);
  return 2 * sizes.layers * columns.reduce((sum, count) => sum + count, 0);
}

const blockKinds = new Map<string, BlockKind>([gptBlock, llamaBlock].map((kind) => [kind.name, kind]));

/** The kind of a language model's blocks: `gpt` if its config names none. Throws a `RangeError` for an unknown one. */
export function blockKindOf({ block = gptBlock.name }: Pick<VlmConfig, "block">): BlockKind {
  const kind = blockKinds.get(block);
  if (kind !== undefined) return kind;
  throw new RangeError(
    `Cannot use this model: block must be one of ${[...blockKinds.keys()].join(", ")}, got ${quote(block)}`,
  );
}

/** Adds a kind, which configs can then name. Throws a `RangeError` when another one has the name. */
export function registerBlock(kind: BlockKind): void {
  const known = blockKinds.get(kind.name);
  if (known !== undefined && known !== kind) {
    throw new RangeError(`Cannot register block ${kind.name}: there is one of this name, choose another`);
  }
  blockKinds.set(kind.name, kind);
}
