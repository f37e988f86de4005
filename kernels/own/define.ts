/**
 * Kernels of one's own: from WGSL to a function that launches it, with operands and parameters by name.
 *
 * @module
 */
import { type Binding, params as bindParams, read, texels, write } from "../gpu/bindings.ts";
import type { Declaration } from "../gpu/declarations.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { requireWords } from "../gpu/launch.ts";
import type { KernelSource } from "../gpu/pipelines.ts";
import type { Slice } from "../gpu/storage.ts";
import type { WgslConstants } from "../gpu/wgsl.ts";

/** What {@linkcode defineKernel} makes a launch of. */
export interface KernelDefinition<Operand extends string = string, Param extends string = string> {
  /** What errors, profiles and logs call the kernel; the name of its file reads best, as `rmsnorm.wgsl`. */
  readonly name: string;
  /**
   * The shader. Names of its `@group(0) @binding(n) var`s are those of the operands; the fields of its uniform, `u32`,
   * `i32` or `f32`, those of the parameters. Directives `//@for`, `//@if` and `//@include` are expanded.
   */
  readonly wgsl: string;
  /** Workgroups in x, y and z; none is launched when one of them is 0. */
  readonly workgroups: (
    params: Readonly<Record<Param, number>>,
    operands: Readonly<Record<Operand, Slice>>,
  ) => readonly [x: number, y?: number, z?: number];
  /** Words (4 bytes) that each operand must have: a shader that reads or writes beyond one says nothing. */
  readonly words?: (params: Readonly<Record<Param, number>>) => Readonly<Partial<Record<Operand, number>>>;
  /** Put in front of the shader as `const NAME = value;`. */
  readonly constants?: WgslConstants;
  /** Texts by name for `//@include`, beside those of `kernels/wgsl/`. */
  readonly includes?: Readonly<Record<string, string>>;
  /** `main` by default. */
  readonly entryPoint?: string;
}

/**
 * Records a launch: it runs when the GPU submits, at the latest before the next read.
 *
 * @throws {TypeError} when an operand or parameter is missing, or is none of the shader's.
 * @throws {RangeError} when an operand has fewer words than it needs, or there are too many workgroups.
 * @throws {SyntaxError} when the shader did not compile; the first time, the next read throws it.
 */
export type Kernel<Operand extends string = string, Param extends string = string> = (
  gpu: Gpu,
  operands: Readonly<Record<Operand, Slice>>,
  params?: Readonly<Record<Param, number>>,
) => void;

/**
 * Makes a kernel of WGSL. It compiles on its first launch, once for each set of constants and GPU.
 *
 * @example Double every element
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { defineKernel, openGpu } from "@ponder/ponder/kernels";
 *
 * const double = defineKernel<"X" | "Y", "n">({
 *   name: "double",
 *   wgsl: `
 *     struct Params { n: u32 }
 *     @group(0) @binding(0) var<storage, read> X: array<f32>;
 *     @group(0) @binding(1) var<storage, read_write> Y: array<f32>;
 *     @group(0) @binding(2) var<uniform> params: Params;
 *     @compute @workgroup_size(64)
 *     fn main(@builtin(global_invocation_id) id: vec3u) {
 *       if (id.x < params.n) { Y[id.x] = 2.0 * X[id.x]; }
 *     }`,
 *   words: ({ n }) => ({ X: n, Y: n }),
 *   workgroups: ({ n }) => [Math.ceil(n / 64)],
 * });
 *
 * const gpu = await openGpu();
 * const X = gpu.upload(new Float32Array([1, 2, 3]), "X");
 * const Y = gpu.allocate(3, "Y");
 * double(gpu, { X, Y }, { n: 3 });
 * const [got] = await gpu.read(Y);
 * assertEquals([...got], [2, 4, 6]);
 * gpu.destroy();
 * ```
 */
export function defineKernel<Operand extends string = string, Param extends string = string>(
  definition: KernelDefinition<Operand, Param>,
): Kernel<Operand, Param> {
  const { name, wgsl, constants = {}, includes, entryPoint } = definition;
  const kernel: KernelSource = { name, file: name, source: wgsl, constants, includes, entryPoint };
  return (gpu, operands, params = {} as Readonly<Record<Param, number>>) => {
    const declared = [...gpu.pipelines.get(kernel).declarations.values()];
    const bindings = bind(name, declared, operands, params);
    const needed = Object.entries<number | undefined>(definition.words?.(params) ?? {});
    requireWords(
      `launch ${name}`,
      needed.map(([operand, words]) => [operands[operand as Operand], words ?? 0] as const),
    );
    gpu.dispatch({ kernel, bindings, workgroups: definition.workgroups(params, operands) });
  };
}

function bind(
  name: string,
  declared: readonly Declaration[],
  operands: Readonly<Record<string, Slice>>,
  params: Readonly<Record<string, number>>,
): Binding[] {
  const variables = declared.filter(({ kind }) => kind !== "params").map((each) => each.name);
  const takes = `pass { ${variables.join(", ")} }`;
  const extra = Object.keys(operands).find((operand) => !variables.includes(operand));
  if (extra !== undefined) throw new TypeError(`Cannot launch ${name}: it has no operand ${extra}, ${takes}`);
  const hasUniform = variables.length < declared.length;
  if (!hasUniform && Object.keys(params).length > 0) {
    throw new TypeError(
      `Cannot launch ${name}: it has no parameter ${Object.keys(params)[0]}, declare a uniform for it`,
    );
  }
  return declared.map(({ binding, name: variable, kind }, index) => {
    if (binding !== index) {
      const numbers = declared.map((each) => each.binding).join(", ");
      throw new TypeError(
        `Cannot launch ${name}: its bindings are ${numbers}, number them from 0, each once`,
      );
    }
    if (kind === "params") return bindParams(params);
    const slice = operands[variable];
    if (slice === undefined) {
      throw new TypeError(`Cannot launch ${name}: operand ${variable} is missing, ${takes}`);
    }
    return kind === "read" ? read(slice) : kind === "write" ? write(slice) : texels(slice);
  });
}
