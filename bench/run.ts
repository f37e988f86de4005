/**
 * Checks and times cases: every variant, and peers if the case has them.
 *
 * @module
 */
import type { KernelCase } from "../kernels/case.ts";
import { checkOutputs, clearErrors, runOnce, uploadOperands } from "../kernels/check.ts";
import { type Gpu, type Slice, summarizeProfile } from "../kernels/gpu/mod.ts";
import {
  type Contender,
  launchContender,
  measureInTurns,
  type Measurements,
  type MeasureSettings,
  ratioSpread,
  spreadOf,
} from "../kernels/measure.ts";
import { shareOfCeiling } from "./ceiling.ts";
import type { HeadlineCase, Peer, PeerTask } from "./peers/common.ts";

import type { BenchRow, Ceiling, FailedRow, KernelShare } from "./types.ts";

/** A case with its suite and its kernel's folder. */
export interface BenchCase {
  readonly suite: Exclude<BenchRow["suite"], "steps">;
  /** Folder under `kernels/`. */
  readonly folder: string;
  readonly kernelCase: KernelCase | HeadlineCase;
}

/** Everything a benchmark of cases needs besides the cases. */
export interface BenchContext {
  readonly gpu: Gpu;
  readonly ceiling: Ceiling;
  readonly settings: MeasureSettings;
  readonly peers: readonly Peer[];
  /** Time only this variant, if a case has it. */
  readonly variant?: string;
  /** Also measure GPU time by kernel. */
  readonly profile: boolean;
  /** Receives variants of ours that fail their check or cannot run. They have no row. */
  readonly fail: (failure: FailedRow) => void;
  /** Receives a message about what is left out: peers that cannot do a case, and cases that the device cannot do. */
  readonly warn: (message: string) => void;
}

/** Tolerance for peers, which compute in another order and with other approximations of exp. */
const PEER_TOLERANCE = 1e-3;

/** A contender of a case that has passed its check. */
export interface Entry {
  readonly variant: string;
  readonly peer: Peer | null;
  readonly contender: Contender;
  readonly error: number;
  readonly profile?: readonly KernelShare[];
}

/** Checks and times one case. Rows of variants come first, peers after them. */
export async function benchCase(
  benchCaseOf: BenchCase,
  context: BenchContext,
): Promise<BenchRow[]> {
  const { suite, kernelCase } = benchCaseOf;
  const { gpu, variant: only } = context;
  const variants = kernelCase.variants.filter((variant) => only === undefined || variant === only);
  if (variants.length === 0 || !canRun(kernelCase, context)) return [];
  const inputs = kernelCase.inputs();
  const want = kernelCase.reference(inputs);
  const entries: Entry[] = [];
  const slices: Slice[] = [];
  const tasks: PeerTask[] = [];
  try {
    let mine: Record<string, Float32Array> | null = null;
    for (const variant of variants) {
      const operands = uploadOperands(gpu, kernelCase, inputs);
      slices.push(...Object.values(operands));
      try {
        const got = await runOnce(gpu, kernelCase, operands, variant);
        const label = `${kernelCase.kernel} (${variant}) at ${kernelCase.name}`;
        const error = checkOutputs(label, got, want, kernelCase);
        mine = got;
        const launch = () => kernelCase.launch(gpu, operands, variant);
        const profile = context.profile ? await profileLaunch(gpu, launch) : undefined;
        entries.push({ variant, peer: null, contender: launchContender(gpu, launch), error, profile });
      } catch (error) {
        // Otherwise the next variant would be blamed for this error.
        await clearErrors(gpu);
        const { kernel, name } = kernelCase;
        context.fail({ suite, kernel, name, variant, reason: (error as Error).message });
      }
    }
    if ("peerWork" in kernelCase && mine !== null) {
      for (const peer of context.peers) {
        const entry = await preparePeer(peer, kernelCase, { inputs, mine, tasks, warn: context.warn });
        if (entry !== null) entries.push(entry);
      }
    }
    if (entries.length === 0) return [];
    const measured = await measureInTurns(entries.map(({ contender }) => contender), context.settings);
    const { kernel, name, flops, bytes } = kernelCase;
    const naive = entries.findIndex(({ peer, variant }) =>
      peer === null && variant === kernelCase.variants[0]
    );
    const { ceiling } = context;
    return toRows({ suite, kernel, name, flops, bytes }, entries, measured, { ceiling, naive })
      .map((row) => ({ ...row, ceiling }));
  } finally {
    for (const task of tasks) task.dispose();
    for (const slice of slices) gpu.release(slice);
  }
}

async function preparePeer(
  peer: Peer,
  kernelCase: HeadlineCase,
  { inputs, mine, tasks, warn }: {
    inputs: ReturnType<KernelCase["inputs"]>;
    mine: Readonly<Record<string, Float32Array>>;
    tasks: PeerTask[];
    warn: (message: string) => void;
  },
): Promise<Entry | null> {
  try {
    const task = peer.prepare(kernelCase.peerWork, inputs);
    tasks.push(task);
    const theirs = await task.result();
    const shared = Object.fromEntries(kernelCase.peerOutputs.map((name) => [name, theirs[name]]));
    const label = `${peer.name} at ${kernelCase.kernel} ${kernelCase.name}`;
    const error = checkOutputs(label, shared, mine, { tolerance: PEER_TOLERANCE });
    return { variant: `${peer.name} ${peer.version}`, peer, contender: task, error };
  } catch (error) {
    warn(`Left out ${peer.name} at ${kernelCase.kernel} ${kernelCase.name}: ${(error as Error).message}`);
    return null;
  }
}

/** Kernels beyond a benchmark's device. Each is mentioned once, not at each of its cases. */
const leftOut = new WeakMap<BenchContext, Set<string>>();

/** Does the device have what a case needs? */
function canRun({ kernel, feature }: KernelCase, context: BenchContext): boolean {
  if (feature === undefined || context.gpu.device.features.has(feature)) return true;
  const mentioned = leftOut.get(context) ?? new Set();
  leftOut.set(context, mentioned);
  if (!mentioned.has(kernel)) {
    context.warn(`Left out ${kernel}: ${context.gpu.adapterName} has no ${feature}`);
  }
  mentioned.add(kernel);
  return false;
}

/** Measures the GPU time of one launch by kernel, with timestamp queries. */
export async function profileLaunch(gpu: Gpu, launch: () => unknown): Promise<KernelShare[]> {
  // Everything is compiled by now, but the mirrors and caches of this launch may be cold.
  await launch();
  await gpu.read(gpu.placeholder);
  gpu.profile.start();
  await launch();
  gpu.flush();
  const rows = await gpu.profile.stop();
  return summarizeProfile(rows).map(({ kernel, count, totalNs }) => ({
    kernel,
    count,
    totalUs: totalNs / 1e3,
  }));
}

/** What rows are about: a case or a whole step. */
export type Timed = Pick<BenchRow, "suite" | "kernel" | "name" | "flops" | "bytes" | "tokens">;

/** Makes the rows of contenders that took turns. `naive` is the index of the one to compare ours with; -1 for none. */
export function toRows(
  timed: Timed,
  entries: readonly (Omit<Entry, "error"> & { readonly error: number | null })[],
  measured: readonly Measurements[],
  { ceiling, naive = -1 }: { ceiling: Ceiling; naive?: number },
): BenchRow[] {
  const { flops, bytes } = timed;
  // Ratios use CPU time if it is known, since the wall time of a busy machine says little.
  const timesOf = (index: number) => measured[index].samples.map(({ wallUs, busyUs }) => busyUs ?? wallUs);
  return entries.map(({ variant, peer, error, profile }, index): BenchRow => {
    const { samples, launches } = measured[index];
    const wallUs = spreadOf(samples.map((sample) => sample.wallUs));
    const busy = samples.flatMap(({ busyUs }) => busyUs === null ? [] : [busyUs]);
    const busyUs = busy.length === 0 ? null : spreadOf(busy);
    const others = entries.flatMap((entry, other) =>
      peer !== null || entry.peer === null
        ? []
        : [[entry.peer.name, ratioSpread(timesOf(other), timesOf(index))] as const]
    );
    return {
      ...timed,
      variant,
      isPeer: peer !== null,
      wallUs,
      busyUs,
      launches,
      share: shareOfCeiling({ flops, bytes, wallUs: wallUs.median, busyUs: busyUs?.median ?? null }, ceiling),
      overNaive: peer !== null || naive < 0 || index === naive
        ? null
        : ratioSpread(timesOf(naive), timesOf(index)),
      overPeers: Object.fromEntries(others),
      error,
      ...(profile ? { profile } : {}),
    };
  });
}
