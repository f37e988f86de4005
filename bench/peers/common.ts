/**
 * What peers have in common: their pinned packages, their work, and the layout of operands. No peer is a dependency of the
 * toolkit: the specifiers below are the only mention.
 *
 * @module
 */
import type { CaseArray, KernelCase } from "../../kernels/case.ts";
import type { Contender } from "../../kernels/measure.ts";

/** The packages that each peer is loaded from. */
export const peerSpecifiers = {
  "jax-js": ["npm:@jax-js/jax@0.1.25"],
  "tfjs-webgpu": ["npm:@tensorflow/tfjs@4.22.0", "npm:@tensorflow/tfjs-backend-webgpu@4.22.0"],
} as const;

/** Name of a peer. */
export type PeerName = keyof typeof peerSpecifiers;

/** What a peer computes from the operands of a case, by their names. Attention is causal. */
export type PeerWork =
  | {
    readonly op: "matmul";
    readonly M: number;
    readonly N: number;
    readonly K: number;
    readonly transposeA?: boolean;
    readonly transposeB?: boolean;
  }
  | {
    readonly op: "attention" | "attention with gradients";
    readonly B: number;
    readonly T: number;
    readonly H: number;
    readonly D: number;
  }
  | { readonly op: "linear logprob"; readonly N: number; readonly C: number; readonly V: number }
  | { readonly op: "log-softmax"; readonly N: number; readonly V: number }
  | { readonly op: "layernorm"; readonly R: number; readonly C: number; readonly epsilon: number }
  | { readonly op: "adamw"; readonly words: number };

/** A case that peers can run too. */
export interface HeadlineCase extends KernelCase {
  readonly peerWork: PeerWork;
  /** Names of the outputs that peers must agree on. */
  readonly peerOutputs: readonly string[];
}

/** Work prepared on a peer. */
export interface PeerTask extends Contender {
  /** Computes once and returns outputs under the names of the case. */
  result(): Promise<Record<string, Float32Array>>;
  dispose(): void;
}

/** A peer library, initialised. */
export interface Peer {
  readonly name: PeerName;
  readonly version: string;
  prepare(work: PeerWork, inputs: Readonly<Record<string, CaseArray>>): PeerTask;
}

/** Reads the version in a specifier. */
export const versionOf = (specifier: string): string => specifier.slice(specifier.lastIndexOf("@") + 1);

/**
 * Loads a peer's modules.
 *
 * @throws {Error} naming the package that could not be loaded.
 */
export async function loadPeerModules(name: PeerName): Promise<unknown[]> {
  const modules: unknown[] = [];
  for (const specifier of peerSpecifiers[name]) {
    try {
      // The specifier is not a literal: the type check and the lock file must not see it.
      modules.push(await import(specifier as string));
    } catch (cause) {
      throw new Error(
        `Cannot load ${specifier}: ${(cause as Error).message}, peers need the npm registry the first time`,
        { cause },
      );
    }
  }
  return modules;
}

/** Splits packed rows `[q | k | v]` (B,T,3HD) into three (B,T,H,D), or (B,H,T,D) with `headsFirst`. */
export function splitQkv(
  QKV: CaseArray,
  { B, T, H, D }: { B: number; T: number; H: number; D: number },
  headsFirst: boolean,
): Float32Array[] {
  return [0, 1, 2].map((part) => {
    const values = new Float32Array(B * T * H * D);
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        for (let h = 0; h < H; h++) {
          const from = ((b * T + t) * 3 + part) * H * D + h * D;
          const to = headsFirst ? ((b * H + h) * T + t) * D : ((b * T + t) * H + h) * D;
          values.set((QKV as Float32Array).subarray(from, from + D), to);
        }
      }
    }
    return values;
  });
}

/** The inverse of {@linkcode splitQkv}. */
export function joinQkv(
  parts: readonly Float32Array[],
  { B, T, H, D }: { B: number; T: number; H: number; D: number },
  headsFirst: boolean,
): Float32Array {
  const QKV = new Float32Array(B * T * 3 * H * D);
  parts.forEach((values, part) => {
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        for (let h = 0; h < H; h++) {
          const from = headsFirst ? ((b * H + h) * T + t) * D : ((b * T + t) * H + h) * D;
          QKV.set(values.subarray(from, from + D), ((b * T + t) * 3 + part) * H * D + h * D);
        }
      }
    }
  });
  return QKV;
}
