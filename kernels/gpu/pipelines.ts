/**
 * Compute pipelines, compiled once per kernel and set of constants, and readable compile errors.
 *
 * @module
 */
import type { Binding } from "./bindings.ts";
import { debugLevel, debugLog } from "./host.ts";
import { snippets } from "../wgsl/mod.ts";
import { BINDERS, type Declaration, declarationsOf } from "./declarations.ts";
import { bindingFault, bindingsOf, type EntryPointBindings, entryPointFault } from "./entry_points.ts";
import { hideUniforms, sampleTexels } from "./rewrite.ts";
import type { UniformLayout } from "./uniforms.ts";
import { composeWgsl, type Origin, type Snippet, type WgslConstants } from "./wgsl.ts";

/** A kernel before compilation: a `.wgsl` text, and the constants that specialise it. */
export interface KernelSource {
  /** Path of the kernel without extension, such as `matmul/naive`. Errors, profiles and logs show it. */
  readonly name: string;
  /** The text of the `.wgsl` file. */
  readonly source: string;
  /** Constants, as lines in front of the text. */
  readonly constants: WgslConstants;
  /** Entry point; `main` unless the file has several. */
  readonly entryPoint?: string;
  /** Texts by name, for `//@include` beside those of `kernels/wgsl/`. */
  readonly includes?: Readonly<Record<string, string>>;
  /** How messages name the file; by default `kernels/NAME.wgsl`. */
  readonly file?: string;
}

/** A compiled kernel with its cache of bind groups. */
export interface Pipeline {
  /** Tells it from others. */
  readonly id: number;
  /** The kernel's name. */
  readonly name: string;
  /** What it was compiled from. */
  readonly kernel: KernelSource;
  /** The kernel's file, as messages name it. */
  readonly file: string;
  /** What the shader declares, by number of the binding. */
  readonly declarations: ReadonlyMap<number, Declaration>;
  /** The uniforms among them. */
  readonly uniforms: ReadonlyMap<number, UniformLayout>;
  /** The pipeline. */
  readonly gpuPipeline: GPUComputePipeline;
  /** The layout of its bind group. */
  readonly layout: GPUBindGroupLayout;
  /** Bind groups by what they bind. */
  readonly bindGroups: Map<string, GPUBindGroup>;
  /** What it samples its textures with, as an entry of its bind groups; null when it samples none. */
  readonly sampler: GPUBindGroupEntry | null;
  /** The function that is launched. */
  readonly entryPoint: string;
  /** The bindings that it uses. */
  readonly bindings: EntryPointBindings;
}

/**
 * Bind groups that are cached, of all pipelines together. Steps that repeat have them in their plans; memory that shapes share in ever
 * new ways would fill a larger cache for thousands of iterations.
 */
const MAX_BIND_GROUPS = 4096;

/** Pipelines by kernel name and constants. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #compiled = new Map<string, CompiledText>();
  /** What is wrong with those that did not compile. */
  readonly #broken = new Map<string, string>();

  #bindGroupCount = 0;

  readonly #hidesUniforms: boolean;
  readonly #enablesSubgroups: boolean;
  /** Null where texels are loaded. */
  readonly #sampler: GPUSampler | null;

  /**
   * With `hidesUniforms` a kernel's uniforms are bound as read-only storage, for lavapipe. It writes loop bounds that it finds
   * in uniform buffers into the code. It then compiles the kernel anew at every pass, and keeps about a megabyte each time.
   * Uniforms are read once, at the start: a word of storage is a loop over lanes at every mention. With
   * `enablesSubgroups` shaders that use subgroup functions get the line that allows it. With `samplesTexels` textures are
   * sampled: `sampleTexels` of rewrite.ts says why.
   */
  constructor(device: GPUDevice, hidesUniforms: boolean, enablesSubgroups: boolean, samplesTexels = false) {
    this.#device = device;
    this.#hidesUniforms = hidesUniforms;
    this.#enablesSubgroups = enablesSubgroups;
    this.#sampler = samplesTexels ? device.createSampler() : null;
  }

  /** Pipelines compiled so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /** Bind groups cached at present. */
  get bindGroupCount(): number {
    return this.#bindGroupCount;
  }

  /** Caches a bind group. When there are too many, all others are forgotten. */
  keepBindGroup({ bindGroups }: Pipeline, key: string, group: GPUBindGroup): void {
    if (this.#bindGroupCount >= MAX_BIND_GROUPS) this.clearBindGroups();
    bindGroups.set(key, group);
    this.#bindGroupCount++;
  }

  /**
   * The pipeline of a kernel, compiled on first use. The device reports faults later, as an event.
   *
   * @throws {SyntaxError} when a directive of the text is malformed, or when the device refused the text before.
   */
  get(kernel: KernelSource): Pipeline {
    let label = `${kernel.name}:${kernel.entryPoint ?? "main"}`;
    for (const name in kernel.constants) label += ` ${name}=${kernel.constants[name]}`;
    let key = label;
    let cached = this.#pipelines.get(key);
    // Kernels of one name and other texts: users' own, mostly.
    for (let count = 2; cached !== undefined && !hasSameText(cached.kernel, kernel); count++) {
      key = `${label} #${count}`;
      cached = this.#pipelines.get(key);
    }
    if (cached !== undefined) {
      const broken = this.#broken.get(key);
      if (broken === undefined) return cached;
      throw new SyntaxError(broken);
    }

    const startMs = performance.now();
    const file = fileOf(kernel);
    const composed = composeWgsl(kernel.source, kernel.constants, { file, snippets: snippetsFor(kernel) });
    const declarations = new Map(declarationsOf(composed.code, file).map((each) => [each.binding, each]));
    const entryPoint = kernel.entryPoint ?? "main";
    const fault = entryPointFault(composed.code, entryPoint, this.#device.limits);
    if (fault !== null) throw new SyntaxError(`Cannot compile ${file}: ${fault}`);
    let { code } = composed;
    if (this.#hidesUniforms) code = hideUniforms(code);
    const sampled = this.#sampler === null ? null : sampleTexels(code, entryPoint);
    if (sampled !== null) code = sampled.code;
    // On the first line, so that positions in error messages stay.
    if (this.#enablesSubgroups && /subgroup|quad(Swap|Broadcast)/.test(code)) {
      code = `enable subgroups; ${code}`;
    }
    if (debugLevel >= 2) debugLog(`wgsl ${key}\n${composed.code}`);
    this.#compiled.set(key, {
      lines: composed.code.split("\n"),
      compiledLines: code.split("\n"),
      origins: composed.origins,
    });
    const samplerBinding = sampled?.samplerBinding ?? null;
    const module = this.#device.createShaderModule({ label: key, code });
    const gpuPipeline = this.#device.createComputePipeline({
      label: key,
      layout: "auto",
      compute: { module, entryPoint },
    });
    const pipeline: Pipeline = {
      id: this.#pipelines.size,
      name: kernel.name,
      kernel,
      file,
      declarations,
      uniforms: uniformsOf(file, declarations),
      gpuPipeline,
      layout: gpuPipeline.getBindGroupLayout(0),
      bindGroups: new Map(),
      sampler: samplerBinding === null ? null : { binding: samplerBinding, resource: this.#sampler! },
      entryPoint,
      bindings: bindingsOf(composed.code, entryPoint, [...declarations.values()]),
    };
    this.#pipelines.set(key, pipeline);
    if (debugLevel >= 1) debugLog(`pipeline ${key}: ${(performance.now() - startMs).toFixed(1)} ms`);
    return pipeline;
  }

  /** Forgets all bind groups: they hold on to destroyed buffers otherwise. */
  clearBindGroups(): void {
    for (const pipeline of this.#pipelines.values()) pipeline.bindGroups.clear();
    this.#bindGroupCount = 0;
  }

  /**
   * What a WebGPU message says about a kernel's text, or null when it is about something else. Positions in composed text
   * are restated as positions in the kernel's file or the snippet it includes, with the offending line; later launches of
   * that kernel throw the error again.
   * Deno writes `wgsl:12:5` when parsing fails and `label:12:5` when validation does, Chromium `:12:5 error:` and the
   * label behind it.
   */
  compileErrorOf(message: string): SyntaxError | null {
    for (const [key, { lines, compiledLines, origins }] of this.#compiled) {
      const position = positionIn(message, key);
      if (position === null) continue;
      const [line, column] = position;
      const { file, line: fileLine, isVerbatim } = origins[line - 1] ??
        { file: null, line: 0, isVerbatim: false };
      // In lines that differ from the file's, columns do too.
      const hasColumn = isVerbatim && lines[line - 1] === compiledLines[line - 1];
      const where = file === null
        ? "a constant in front of the file"
        : `${file}:${fileLine}${hasColumn ? `:${column}` : ""}`;
      const explained = `Cannot compile ${where}: ${lines[line - 1]?.trim()}\n${message.trim()}`;
      this.#broken.set(key, explained);
      return new SyntaxError(explained);
    }
    return null;
  }
}

/** A shader's text as composed and as the device got it, for messages. */
interface CompiledText {
  readonly lines: readonly string[];
  readonly compiledLines: readonly string[];
  readonly origins: readonly Origin[];
}

/** Line and column of what a message complains of, when it is about the shader of this label. */
function positionIn(message: string, label: string): [line: number, column: number] | null {
  const starts = [
    message.includes(`'${label}'`) ? message.indexOf(" wgsl:") : -1,
    message.indexOf(` ${label}:`),
    message.includes(`"${label}"`) ? message.search(/ :\d+:\d+ error/) : -1,
  ];
  const start = starts.find((at) => at >= 0);
  const position = start === undefined ? null : message.slice(start).match(/:(\d+):(\d+)(?:\n| error)/);
  return position === null ? null : [Number(position[1]), Number(position[2])];
}

function hasSameText(a: KernelSource, b: KernelSource): boolean {
  if (a.source !== b.source) return false;
  if (a.includes === b.includes) return true;
  const [ours, theirs] = [Object.entries(a.includes ?? {}), Object.entries(b.includes ?? {})];
  return ours.length === theirs.length && ours.every(([name, text]) => b.includes?.[name] === text);
}

const fileOf = ({ name, file = `kernels/${name}.wgsl` }: KernelSource) => file;

/** The shared snippets and the kernel's own, which stand in its folder. */
function snippetsFor({ name, file, includes = {} }: KernelSource): Record<string, Snippet> {
  const folder = file === undefined ? `kernels/${name.slice(0, name.lastIndexOf("/") + 1)}` : "";
  const all: Record<string, Snippet> = {};
  for (const [each, text] of Object.entries(snippets)) all[each] = { file: `kernels/wgsl/${each}`, text };
  for (const [each, text] of Object.entries(includes)) all[each] = { file: `${folder}${each}`, text };
  return all;
}

/**
 * Requires a launch to bind exactly what the kernel's entry point uses, each as it is declared. WebGPU's own messages name
 * neither kernel nor binding.
 *
 * @throws {TypeError} naming the kernel's file, the binding and what it takes.
 */
export function requireBindings(pipeline: Pipeline, passed: readonly Binding[]): void {
  const { file, declarations, entryPoint, bindings } = pipeline;
  const fault = bindingFault(bindings, entryPoint, passed.length);
  if (fault !== null) throw new TypeError(`Cannot launch ${file}: ${fault}`);
  for (const [index, { kind }] of passed.entries()) {
    const declared = declarations.get(index);
    if (declared === undefined || declared.kind === kind) continue;
    throw new TypeError(
      `Cannot launch ${file}: ${declared.name}, binding ${index}, is ${
        BINDERS[declared.kind]
      }, bind it as ${declared.kind}, not ${kind}`,
    );
  }
}

/**
 * The uniform that a shader declares if a launch binds parameters.
 *
 * @throws {TypeError} when there is none.
 */
export function uniformAt(pipeline: Pipeline, passed: readonly Binding[], index: number): UniformLayout {
  const layout = pipeline.uniforms.get(index);
  if (layout !== undefined) return layout;
  requireBindings(pipeline, passed);
  throw new TypeError(`Cannot launch ${pipeline.file}: binding ${index} takes no parameters, bind a slice`);
}

function uniformsOf(
  file: string,
  declarations: ReadonlyMap<number, Declaration>,
): Map<number, UniformLayout> {
  const uniforms = new Map<number, UniformLayout>();
  for (const { kind, binding, fields } of declarations.values()) {
    if (kind !== "params") continue;
    uniforms.set(binding, { file, fields, types: fields.map(({ type }) => type).join() });
  }
  return uniforms;
}
