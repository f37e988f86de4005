/**
 * Plans: the commands that a step gives the GPU. A step is traced once for every shape of its inputs. The plan is replayed for the
 * next inputs of that shape.
 *
 *     first step of a shape    the step's code runs: ops take memory, choose kernels and launch them, and the GPU keeps the
 *                              list of launches, copies and uploads
 *     later ones               uploads get the new inputs' arrays, the list is encoded as it is, in the same memory
 *
 * A plan's memory belongs to the pool. Others may have it between steps, and plans share it.
 *
 * @module
 */
import type { Binding } from "./bindings.ts";
import type { Gpu } from "./gpu.ts";
import type { KernelSource } from "./pipelines.ts";
import type { Mirror, Slice, Storage } from "./storage.ts";

/** Data of the host: words, or bytes that are taken four to a word. */
export type HostData = Float32Array | Uint32Array | Int32Array | Uint8Array;

/** One thing that the GPU is told to do. */
export type Command =
  | { readonly kind: "launch" } & Launch
  | { readonly kind: "upload" } & Upload
  | { readonly kind: "clear"; readonly slice: Slice }
  | { readonly kind: "copy"; readonly from: Slice; readonly to: Slice }
  | { readonly kind: "submit" };

/** A kernel launch with everything looked up. */
export interface Launch {
  /** The kernel before compilation. */
  readonly kernel: KernelSource;
  /** What it binds. */
  readonly bindings: readonly Binding[];
  /** Workgroups in each dimension. */
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** The compiled kernel. */
  readonly pipeline: GPUComputePipeline;
  /** What it binds, as WebGPU takes it. */
  readonly group: GPUBindGroup;
  /** What is read as texels: storages, their words in use, and the textures that these are copied to. */
  readonly mirrors: readonly MirrorUse[];
}

/** A storage that is read as texels of a mirror. */
export interface MirrorUse {
  /** The memory. */
  readonly storage: Storage;
  /** Words that the copy covers. */
  readonly usedWords: number;
  /** The texture. */
  readonly mirror: Mirror;
}

/** Host data for the beginning of a slice. */
export interface Upload {
  /** Where it goes. */
  readonly slice: Slice;
  /** What is written, or what that is derived from. */
  readonly data: HostData;
  /** Makes what is written of `data`; absent when that is all of it. */
  readonly derive: Derive | undefined;
}

/** Makes of the data what is written. */
// deno-lint-ignore no-explicit-any -- each takes the kind of array that it comes with
export type Derive = (data: any) => HostData;

/** The commands of a step. */
interface Plan {
  readonly commands: readonly Command[];
  /** Index of the inputs' array that each command uploads; -1 for all other commands. */
  readonly inputOf: readonly number[];
  /** What is read at the end. */
  readonly results: readonly Slice[];
  readonly storages: readonly Storage[];
}

/** Plans kept. When shapes keep changing, the ones that were not used for longest go. */
const MAX_PLANS = 32;

/** Stands for an input's array in a plan. */
const NO_DATA: HostData = new Uint8Array(0);

const fixedData = new WeakSet<HostData>();

/** Marks data that follows from the shapes of a step's inputs alone, such as the positions 0..T-1: not an input itself. */
export function fixed<Data extends HostData>(data: Data): Data {
  fixedData.add(data);
  return data;
}

/** What a plan keeps of an upload. For fixed data it is what was written, so that it is derived once. */
export function keptUpload(
  data: HostData,
  written: HostData,
  derive: Derive | undefined,
): Pick<Upload, "data" | "derive"> {
  return fixedData.has(data) ? { data: fixed(written), derive: undefined } : { data, derive };
}

/** A step that can be planned. */
export interface Step<Inputs> {
  /** Name of the step. Its plans are kept under this name. */
  readonly name: string;
  /** What `run` needs beside the inputs, such as a model or an optimiser. A plan belongs to this one alone. */
  readonly owner: object;
  /**
   * Uploads arrays of the inputs, launches, and returns the slices to read. Everything that may differ from one step to the next
   * must be in the inputs. Arrays may hold anything; every other value is a part of the shape.
   */
  readonly run: (inputs: Inputs) => readonly Slice[];
}

/** The plans of a GPU. */
export class Plans {
  readonly #gpu: Gpu;
  /** Those used last come last. */
  readonly #plans = new Map<string, Plan>();
  readonly #owners = new WeakMap<object, number>();
  #ownerCount = 0;
  #generation = 0;
  /** Steps traced so far: constant over steady steps. */
  traced = 0;

  /** Made by `Gpu`. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /**
   * Runs a step, by its plan if there is one, and reads its results.
   *
   * @throws {TypeError} when the step uploads an array that is neither among its inputs nor {@linkcode fixed}.
   */
  async run<Inputs extends object>(step: Step<Inputs>, inputs: Inputs): Promise<Float32Array[]> {
    const arrays: HostData[] = [];
    const key = `${step.name} ${this.#ownerId(step.owner)} ${describeShape(inputs, arrays)}`;
    const plan = this.#plans.get(key);
    this.#plans.delete(key);
    // Memory that somebody holds at present is not the plan's to write to.
    if (plan !== undefined && plan.storages.every(({ lease }) => lease === null)) {
      this.#plans.set(key, plan);
      this.#gpu.replay(withData(plan.commands, plan.inputOf, (input) => arrays[input]));
      return await this.#gpu.read(...plan.results);
    }
    const generation = this.#generation;
    const { commands, result: results } = this.#gpu.trace(() => step.run(inputs));
    this.traced++;
    const inputOf = commands.map((command) => findInput(command, step.name, arrays));
    if (generation === this.#generation) {
      if (this.#plans.size === MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
      this.#plans.set(key, {
        commands: withData(commands, inputOf, () => NO_DATA),
        inputOf,
        results,
        storages: storagesOf(commands),
      });
    }
    return await this.#gpu.read(...results);
  }

  /** Forgets all plans: their memory may be destroyed, their bind groups void. */
  clear(): void {
    this.#plans.clear();
    this.#generation++;
  }

  #ownerId(owner: object): number {
    const id = this.#owners.get(owner) ?? this.#ownerCount++;
    this.#owners.set(owner, id);
    return id;
  }
}

/** Inputs without what their arrays hold, which are appended to `arrays`: equal texts, equal plans. */
function describeShape(value: unknown, arrays: HostData[]): string {
  if (ArrayBuffer.isView(value)) {
    const data = value as HostData;
    // An array that occurs twice now need not occur twice the next time.
    const earlier = arrays.indexOf(data);
    if (earlier >= 0) return `=${earlier}`;
    arrays.push(data);
    return `${data.constructor.name}${data.length}`;
  }
  if (typeof value !== "object" || value === null) return String(value);
  return `{${Object.entries(value).map(([name, part]) => `${name}:${describeShape(part, arrays)}`).join()}}`;
}

/** The same commands with other data for the uploads of inputs. */
function withData(
  commands: readonly Command[],
  inputOf: readonly number[],
  dataOf: (input: number) => HostData,
): Command[] {
  return commands.map((command, i) =>
    command.kind === "upload" && inputOf[i] >= 0 ? { ...command, data: dataOf(inputOf[i]) } : command
  );
}

/** Which of the inputs' arrays a command uploads, or -1. */
function findInput(command: Command, step: string, arrays: readonly HostData[]): number {
  if (command.kind !== "upload") return -1;
  const input = arrays.indexOf(command.data);
  if (input >= 0 || fixedData.has(command.data)) return input;
  throw new TypeError(
    `Cannot plan ${step}: ${command.slice.label} is not among its inputs, add it to them or mark it as fixed`,
  );
}

function storagesOf(commands: readonly Command[]): Storage[] {
  const slices = commands.flatMap((command) => {
    switch (command.kind) {
      case "launch":
        return command.bindings.flatMap((binding) => binding.kind === "params" ? [] : [binding.slice]);
      case "copy":
        return [command.from, command.to];
      case "submit":
        return [];
      default:
        return [command.slice];
    }
  });
  return [...new Set(slices.map(({ storage }) => storage))];
}
