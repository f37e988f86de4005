/**
 * Compute pipelines, compiled once per kernel and set of constants, and readable compile errors.
 *
 * @module
 */
import { debugLevel, debugLog } from "./host.ts";
import { bindingFault, bindingsOf, type EntryPointBindings, namesReached } from "./entry_points.ts";
import { type ComposedWgsl, composeWgsl, type WgslConstants } from "./wgsl.ts";

/** A kernel before compilation: a `.wgsl` text, and the constants that specialise it. */
export interface KernelSource {
  /** Path of the kernel without extension, e.g. `matmul/naive`; shown in errors, profiles and logs. */
  readonly name: string;
  /** The text of the `.wgsl` file. */
  readonly source: string;
  readonly constants: WgslConstants;
  /** Entry point; `main` unless the file has several. */
  readonly entryPoint?: string;
}

/** A compiled kernel with its cache of bind groups. */
export interface Pipeline {
  readonly id: number;
  readonly name: string;
  readonly gpuPipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly bindGroups: Map<string, GPUBindGroup>;
  readonly entryPoint: string;
  readonly bindings: EntryPointBindings;
}

/**
 * Checks that a launch passes the bindings that the kernel's entry point uses, no more and no fewer.
 *
 * @throws {TypeError} naming the kernel's file, the entry point and the bindings.
 */
export function requireBindings({ name, entryPoint, bindings }: Pipeline, count: number): void {
  const fault = bindingFault(bindings, entryPoint, count);
  if (fault !== null) throw new TypeError(`Cannot launch kernels/${name}.wgsl: ${fault}`);
}

/** Pipelines by kernel name and constants. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #composed = new Map<string, ComposedWgsl>();

  readonly #hidesUniforms: boolean;
  readonly #enablesSubgroups: boolean;

  /**
   * On a software adapter a kernel's uniforms are bound as read-only storage: lavapipe writes loop bounds that it finds
   * in uniform buffers into the code, and then compiles the kernel anew at every pass and keeps what it compiled, about a
   * megabyte each time. They are read once, at the start: a word of storage is a loop over lanes at every mention. With
   * `enablesSubgroups` shaders that use subgroup functions get the line that allows it.
   */
  constructor(device: GPUDevice, isSoftware: boolean, enablesSubgroups: boolean) {
    this.#device = device;
    this.#hidesUniforms = isSoftware;
    this.#enablesSubgroups = enablesSubgroups;
  }

  /** Pipelines compiled so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /** Bind groups cached at present. */
  get bindGroupCount(): number {
    let count = 0;
    for (const { bindGroups } of this.#pipelines.values()) count += bindGroups.size;
    return count;
  }

  get(kernel: KernelSource): Pipeline {
    let key = `${kernel.name}:${kernel.entryPoint ?? "main"}`;
    for (const name in kernel.constants) key += ` ${name}=${kernel.constants[name]}`;
    const cached = this.#pipelines.get(key);
    if (cached !== undefined) return cached;

    const startMs = performance.now();
    const composed = composeWgsl(kernel.source, kernel.constants);
    this.#composed.set(key, composed);
    let { code } = composed;
    if (this.#hidesUniforms) code = hideUniforms(code);
    // On the first line, so that positions in error messages stay.
    if (this.#enablesSubgroups && code.includes("subgroup")) code = `enable subgroups; ${code}`;
    if (debugLevel >= 2) debugLog(`wgsl ${key}\n${composed.code}`);
    const entryPoint = kernel.entryPoint ?? "main";
    const module = this.#device.createShaderModule({ label: key, code });
    const gpuPipeline = this.#device.createComputePipeline({
      label: key,
      layout: "auto",
      compute: { module, entryPoint },
    });
    const pipeline: Pipeline = {
      id: this.#pipelines.size,
      name: kernel.name,
      gpuPipeline,
      layout: gpuPipeline.getBindGroupLayout(0),
      bindGroups: new Map(),
      entryPoint,
      bindings: bindingsOf(composed.code, entryPoint),
    };
    this.#pipelines.set(key, pipeline);
    if (debugLevel >= 1) debugLog(`pipeline ${key}: ${(performance.now() - startMs).toFixed(1)} ms`);
    return pipeline;
  }

  /** Forgets all bind groups: they hold on to destroyed buffers otherwise. */
  clearBindGroups(): void {
    for (const pipeline of this.#pipelines.values()) pipeline.bindGroups.clear();
  }

  /**
   * A WebGPU error message with positions in composed text (`wgsl:12:5` when parsing fails, `label:12:5` when
   * validation does) restated as positions in the kernel's file, with the offending line.
   */
  explain(message: string): string {
    for (const [key, composed] of this.#composed) {
      const start = message.includes(`'${key}'`) ? message.indexOf(" wgsl:") : message.indexOf(` ${key}:`);
      const position = start < 0 ? null : message.slice(start).match(/:(\d+):\d+\n/);
      if (position === null) continue;
      const line = Number(position[1]);
      const fileLine = composed.fileLines[line - 1];
      const where = fileLine
        ? `kernels/${key.split(":")[0]}.wgsl:${fileLine}`
        : "a constant in front of the file";
      return `Cannot compile ${where}: ${composed.code.split("\n")[line - 1]?.trim()}\n${message.trim()}`;
    }
    return message.trim();
  }
}

/** Binds uniforms as storage; an entry point that uses one, itself or in a function, first copies it to a variable of its name. */
function hideUniforms(code: string): string {
  const names: string[] = [];
  // On the same lines, so that positions in error messages stay.
  const hidden = code.replaceAll(/var<uniform> (\w+): ([^;]+);/g, (_, name, type) => {
    names.push(name);
    return `var<storage, read> ${name}_stored: ${type}; var<private> ${name}: ${type};`;
  });
  return hidden.split(/(?=@compute)/).map((text) => {
    if (!text.startsWith("@compute")) return text;
    const reached = namesReached(hidden, text.match(/\bfn\s+(\w+)/)?.[1] ?? "");
    const copies = names.filter((name) => reached.has(name)).map((name) => ` ${name} = ${name}_stored;`);
    return text.replace("{", `{${copies.join("")}`);
  }).join("");
}
