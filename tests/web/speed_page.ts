/** Runs in the browser and in Deno alike: what kernels reach of the ceilings of the machine, and how long a readback takes. */
import copySource from "../../bench/copy.wgsl" with { type: "text" };
import multiplyAddSource from "../../bench/multiply_add.wgsl" with { type: "text" };
import { MULTIPLY_ADD_FORMS, multiplyAddFlops } from "../../bench/ceiling.ts";
import { numberLine } from "../../envs/mod.ts";
import { type Gpu, openGpu, params, read, type Slice, write } from "../../kernels/gpu/mod.ts";
import { matmul } from "../../kernels/matmul/mod.ts";
import { deriveSizes, forwardFlops } from "../../model/mod.ts";
import { resolveConfig } from "../../rl/config.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { sftOptimizer } from "../../rl/optimizers.ts";
import { newAgent } from "../../rl/setup.ts";
import { sftBatch, sftUpdate } from "../../rl/sft.ts";

/** Best times of what was asked, in milliseconds, and the rates that they are. */
export interface Speed {
  readonly adapter: string;
  /** GFLOP/s of a loop of multiply-adds, the fastest of several forms: as an adapter compiles one, it may not compile another. */
  readonly multiplyAdd: number;
  /** GB/s of a copy. */
  readonly copy: number;
  /** Reading four bytes back, when nothing else is under way. */
  readonly readbackMs: number;
  /** By variant: of 512 x 512 x 512, milliseconds and GFLOP/s; null where the variant cannot be launched. */
  readonly matmul: Readonly<Record<string, { readonly ms: number; readonly gflops: number } | null>>;
}

const SIZE = 512, LANES = 1 << 12, ROUNDS = 64, VEC4S = 1 << 20;

/** Forms of the loop: those of the benchmarks, and two that fit what SwiftShader's compiler does with registers and loops. */
const FORMS = [
  ...MULTIPLY_ADD_FORMS,
  { SCALAR: true, CHAINS: 15, STEPS: 64, FUSED: true },
  { SCALAR: false, CHAINS: 4, STEPS: 64, FUSED: true },
];
const formName = (form: typeof FORMS[number]) => `multiply-add ${form.CHAINS} ${form.STEPS} ${form.SCALAR}`;

/** Measures in turns, so that what else the machine does slows all alike. */
export async function measureSpeed(variants: readonly string[], turns: number): Promise<Speed> {
  const gpu = await openGpu();
  const X = gpu.upload(new Float32Array(4 * VEC4S).fill(0.5), "X"), Y = gpu.allocate(16 * VEC4S, "Y");
  const multiplyAdds = FORMS.map((constants) =>
    [formName(constants), () =>
      gpu.dispatch({
        kernel: { name: "bench/multiply_add", source: multiplyAddSource, constants },
        bindings: [read(X), write(Y), params({ rounds: ROUNDS })],
        workgroups: [LANES / 64],
      })] as const
  );
  const works: Record<string, () => void> = {
    ...Object.fromEntries(multiplyAdds),
    copy: () =>
      gpu.dispatch({
        kernel: { name: "bench/copy", source: copySource, constants: { PER_LANE: 4 } },
        bindings: [read(X), write(Y)],
        workgroups: [VEC4S / 64 / 4],
      }),
    nothing: () => {},
  };
  const [A, B, C] = ["A", "B", "C"].map((label) => gpu.upload(new Float32Array(SIZE ** 2).fill(0.5), label));
  for (const variant of variants) {
    works[variant] = () => matmul(gpu, { A, B, C }, { M: SIZE, N: SIZE, K: SIZE, variant });
  }
  const small = gpu.upload(new Float32Array(1), "small");
  const best: Record<string, number | null> = {};
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, work] of Object.entries(works)) {
      if (best[name] === null) continue;
      try {
        if (turn === 0) await timed(gpu, small, work); // compiles
        best[name] = Math.min(best[name] ?? Infinity, await timed(gpu, small, work));
      } catch (error) {
        console.log(`${name}: ${(error as Error).message}`);
        best[name] = null;
      }
    }
  }
  const { adapterName } = gpu;
  gpu.destroy();
  const readbackMs = best.nothing!;
  const net = (name: string) => Math.max(best[name]! - readbackMs, 1e-3);
  return {
    adapter: adapterName,
    multiplyAdd: Math.max(
      ...FORMS.map((form) => LANES * ROUNDS * multiplyAddFlops(form) / net(formName(form)) / 1e6),
    ),
    copy: 32 * VEC4S / net("copy") / 1e6,
    readbackMs,
    matmul: Object.fromEntries(
      variants.map((variant) => [
        variant,
        best[variant] === null ? null : { ms: net(variant), gflops: 2 * SIZE ** 3 / net(variant) / 1e6 },
      ]),
    ),
  };
}

/** The best time of a step of the default warm start on NumberLine, in milliseconds, and the rate that it is. */
export async function measureStep(turns: number): Promise<{ ms: number; gflops: number }> {
  const gpu = await openGpu();
  const config = resolveConfig({ demonstrations: 256 }, numberLine);
  const agent = newAgent(gpu, numberLine, config);
  const batch = sftBatch(await demonstrate(agent, numberLine, config), 0, config);
  const optimizer = sftOptimizer(agent, config);
  let ms = Infinity;
  // The first compiles.
  for (let turn = -1; turn < turns; turn++) {
    const startMs = performance.now();
    await sftUpdate(agent, optimizer, batch, 1e-4);
    if (turn >= 0) ms = Math.min(ms, performance.now() - startMs);
  }
  const B = batch.length;
  const R = Math.max(...batch.map(({ response }) => response.length));
  const texts = batch.map(({ prompt }) =>
    prompt.flatMap((part) => part.kind === "text" ? part.ids : []).length
  );
  const T = deriveSizes(agent.vlm.config).imageTokens + Math.max(...texts) + R;
  gpu.destroy();
  return { ms, gflops: 3 * forwardFlops(agent.vlm.config, { images: B, B, T, R }) / ms / 1e6 };
}

async function timed(gpu: Gpu, small: Slice, work: () => void): Promise<number> {
  const startMs = performance.now();
  work();
  await gpu.read(small);
  return performance.now() - startMs;
}
