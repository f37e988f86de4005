/**
 * Sizes and situations for AdamW and the gradient norms.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import { adamw, gradientNorms, gradientNormsPartialsWords } from "./mod.ts";
import { adamwReference, gradientNormsReference } from "./reference.ts";

/** Group 0 plain, 1 frozen, 2 in the second clip group with decay. */
const GROUPS = Float32Array.of(1, 0, 0, 0, 0, 0.5, 0, 0, 0.5, 0.125, 1, 0);

interface Situation {
  readonly words: number;
  /** Groups in use: block b has group b % G. */
  readonly G: number;
  /** Written over the first gradient of block 0 (group 0) or, with `inFrozen`, of block 1 (group 1). */
  readonly poison?: number;
  readonly inFrozen?: boolean;
}

function gradientsOf({ words, poison, inFrozen = false }: Situation): Float32Array {
  const gradients = caseValues(words, 1);
  if (poison !== undefined) gradients[inFrozen ? 64 : 0] = poison;
  return gradients;
}

const blockGroupsOf = ({ words, G }: Situation) => Uint32Array.from({ length: words / 64 }, (_, b) => b % G);

function describe({ words, G, poison, inFrozen = false }: Situation): string {
  const where = inFrozen ? "in a frozen group" : "in a trained group";
  return `${words} words in ${G} groups${poison === undefined ? "" : `, ${poison} ${where}`}`;
}

function normsCase(situation: Situation): KernelCase {
  const { words, G } = situation;
  const isFinite = situation.poison === undefined || situation.inFrozen === true;
  // Norms that are not finite have no value to compare: only the flag and the last word are written down.
  const outputs: Record<string, number> = isFinite ? { norms: 4 } : { flags: 4 };
  return {
    kernel: "adamw",
    name: `gradient norms of ${describe(situation)}`,
    variants: ["naive"],
    inputs: () => ({
      gradients: gradientsOf(situation),
      blockGroups: blockGroupsOf(situation),
      groups: GROUPS,
      partials: new Float32Array(gradientNormsPartialsWords(words)).fill(NaN),
      ...(isFinite ? {} : { norms: new Float32Array(4) }) as Record<string, Float32Array>,
    }),
    outputs,
    launch: (gpu, { gradients, blockGroups, groups, partials, norms, flags }) => {
      gradientNorms(gpu, { gradients, blockGroups, groups, partials, norms }, { words, G });
      if (flags !== undefined) {
        const zero = new Float32Array(2);
        gpu.copy(norms, flags);
        gpu.write(flags, zero);
      }
    },
    reference: (inputs): Record<string, number[]> => {
      const [norm0, norm1, finite, last] = gradientNormsReference(inputs);
      return isFinite ? { norms: [norm0, norm1, finite, last] } : { flags: [0, 0, finite, last] };
    },
    tolerance: 1e-5,
    flops: 2 * words,
    bytes: 4 * words + words / 16,
  };
}

function updateCase(
  words: number,
  G: number,
  { clip, isFinite }: { clip: number; isFinite: boolean },
): KernelCase {
  const step = 3;
  const situation = { words, G };
  return {
    kernel: "adamw",
    name: `update of ${describe(situation)}, clip ${clip}${isFinite ? "" : ", norms not finite"}`,
    variants: ["naive"],
    inputs: () => ({
      parameters: caseValues(words, 2),
      gradients: gradientsOf(situation),
      m: caseValues(words, 3, 0.1),
      v: caseValues(words, 4, 0.1).map((x) => x * x),
      blockGroups: blockGroupsOf(situation),
      groups: GROUPS,
      settings: Float32Array.of(
        ...[1e-2, 0.9, 0.95, 1e-8, 1 - 0.9 ** step, 1 - 0.95 ** step, clip, 0.25],
        ...new Array(8).fill(NaN),
      ),
      norms: Float32Array.of(1.5, 0.125, isFinite ? 1 : 0, 0),
    }),
    outputs: { parameters: words, gradients: words, m: words, v: words },
    launch: (gpu, { parameters, gradients, m, v, blockGroups, groups, settings, norms }) =>
      adamw(gpu, { parameters, gradients, m, v, blockGroups, groups, settings, norms }, { words, G }),
    reference: (inputs) => adamwReference(inputs),
    tolerance: 1e-6,
    flops: 14 * words,
    bytes: 32 * words + words / 16,
  };
}

const clipped = { clip: 0.5, isFinite: true };

/** One block, ragged counts of blocks and the compact model's 0.5M words; clip, no clip, and bad gradients. */
export const cases: KernelCase[] = [
  normsCase({ words: 64, G: 1 }),
  normsCase({ words: 64 * 37, G: 3 }),
  normsCase({ words: 64 * 37, G: 3, poison: NaN }),
  normsCase({ words: 64 * 37, G: 3, poison: -Infinity }),
  normsCase({ words: 64 * 37, G: 3, poison: 3e38 }),
  normsCase({ words: 64 * 37, G: 3, poison: NaN, inFrozen: true }),
  normsCase({ words: 524_288 + 64, G: 3 }),
  updateCase(64, 1, clipped),
  updateCase(64 * 37, 3, clipped),
  updateCase(64 * 37, 3, { clip: 0, isFinite: true }),
  updateCase(64 * 37, 3, { clip: 0.5, isFinite: false }),
  updateCase(524_288 + 64, 3, clipped),
];
