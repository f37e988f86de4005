/**
 * The machine's ceilings: the rates of a copy and of a multiply-add loop, measured in the same run as the kernels.
 *
 * @module
 */
import { type Binding, type Gpu, params, read, write } from "../kernels/gpu/mod.ts";
import {
  launchContender,
  measureInTurns,
  type Measurements,
  type MeasureSettings,
  spreadOf,
} from "../kernels/measure.ts";
import copySource from "./copy.wgsl" with { type: "text" };
import multiplyAddSource from "./multiply_add.wgsl" with { type: "text" };
import updateSource from "./update.wgsl" with { type: "text" };

import type { Ceiling } from "./types.ts";

const COPY_VEC4S = 1 << 20;
/** Numbers of vec4s that an invocation copies. Which is best depends on the machine. */
const VEC4S_PER_LANE = [1, 2, 4];
/** Forms of the multiply-add loop. The first suits GPUs; the second fits the registers of llvmpipe, where it is 1.4 times as fast. */
export const MULTIPLY_ADD_FORMS = [
  { SCALAR: false, CHAINS: 8, STEPS: 4, FUSED: false },
  { SCALAR: true, CHAINS: 12, STEPS: 96, FUSED: true },
] as const;

/** Flops of an invocation in a round of a form's loop. */
export function multiplyAddFlops(
  { SCALAR, CHAINS, STEPS }: { SCALAR: boolean; CHAINS: number; STEPS: number },
): number {
  return STEPS * CHAINS * (SCALAR ? 2 : 8);
}

/** Measures the ceilings. Rates are best quartiles: a ceiling is what is possible, not what is usual. */
export async function measureCeiling(gpu: Gpu, settings: MeasureSettings): Promise<Ceiling> {
  // A real GPU needs more invocations than two cores do.
  const lanes = gpu.isSoftware ? 1 << 12 : 1 << 20;
  const rounds = 64;
  const X = gpu.upload(new Float32Array(4 * COPY_VEC4S).fill(0.5), "ceiling.X");
  const Y = gpu.acquire(4 * Math.max(COPY_VEC4S, lanes), "ceiling.Y");
  const forms = (name: string, source: string, bindings: readonly Binding[]) =>
    VEC4S_PER_LANE.map((PER_LANE) =>
      launchContender(gpu, () =>
        gpu.dispatch({
          kernel: { name, source, constants: { PER_LANE } },
          bindings,
          workgroups: [COPY_VEC4S / 64 / PER_LANE],
        }))
    );
  const copies = forms("bench/copy", copySource, [read(X), write(Y)]);
  const updates = forms("bench/update", updateSource, [write(Y)]);
  const multiplyAdds = MULTIPLY_ADD_FORMS.map((constants) =>
    launchContender(gpu, () =>
      gpu.dispatch({
        kernel: { name: "bench/multiply_add", source: multiplyAddSource, constants },
        bindings: [read(X), write(Y), params({ rounds })],
        workgroups: [lanes / 64],
      }))
  );
  const contenders = [...copies, ...updates, ...multiplyAdds];
  for (const contender of contenders) await contender.run(1);
  const samples = await measureInTurns(contenders, settings);
  for (const slice of [X, Y]) gpu.release(slice);
  const bytes = copies.length + updates.length;
  const moved = samples.slice(0, bytes).map((each) => rates(each, 32 * COPY_VEC4S));
  return {
    copy: best(moved.slice(0, copies.length)),
    update: best(moved.slice(copies.length)),
    multiplyAdd: best(
      MULTIPLY_ADD_FORMS.map((form, i) => rates(samples[bytes + i], lanes * rounds * multiplyAddFlops(form))),
    ),
  };
}

interface Rate {
  readonly wall: number;
  readonly busy: number | null;
}

function best(all: readonly Rate[]): Rate {
  const busy = all.flatMap((rate) => rate.busy ?? []);
  return {
    wall: Math.max(...all.map(({ wall }) => wall)),
    busy: busy.length === 0 ? null : Math.max(...busy),
  };
}

/** Work per nanosecond: GB/s for bytes, GFLOP/s for flops. */
function rates({ samples }: Measurements, work: number): Rate {
  // The CPU clock has steps. A sample that is too short for it shows no time, and is left out.
  const busy = samples.flatMap(({ busyUs }) => busyUs ? [busyUs] : []);
  return {
    wall: work / spreadOf(samples.map(({ wallUs }) => wallUs)).low / 1e3,
    busy: busy.length === 0 ? null : work / spreadOf(busy).low / 1e3,
  };
}

/**
 * Computes the share of the ceiling that limits a kernel: the larger of arithmetic over the multiply-add rate and bytes over
 * the copy rate. It may pass 1 if operands stay in the cache, and for kernels that overwrite what they read (see `update`).
 *
 * @returns The share, with 1 for the ceiling itself; null if the work is unknown.
 */
export function shareOfCeiling(
  { flops, bytes, wallUs, busyUs }: { flops: number; bytes: number; wallUs: number; busyUs: number | null },
  ceiling: Ceiling,
): number | null {
  if (flops === 0 && bytes === 0) return null;
  const isBusyKnown = busyUs !== null && busyUs > 0 && ceiling.copy.busy !== null &&
    ceiling.multiplyAdd.busy !== null;
  const elapsedUs = isBusyKnown ? busyUs : wallUs;
  const kind = isBusyKnown ? "busy" : "wall";
  return Math.max(
    flops / elapsedUs / 1e3 / ceiling.multiplyAdd[kind]!,
    bytes / elapsedUs / 1e3 / ceiling.copy[kind]!,
  );
}
