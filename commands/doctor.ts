/**
 * `doctor`: says what this machine has, what would be slow on it and why, and what to do.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { debugLevel, environment, type Gpu, NoAdapterError, openGpu } from "../kernels/gpu/mod.ts";
import { keptTuning } from "../bench/tuning.ts";
import {
  type Command,
  defineOptions,
  failureMessage,
  formatBytes,
  processConsole,
  runCommand,
  wrapWords,
} from "../rl/cli/mod.ts";

const GIB = 2 ** 30;

const KERNEL_FEATURES = ["subgroups", "shader-f16", "timestamp-query"] as const satisfies GPUFeatureName[];

/** What a run with the default settings takes, with some room: 0.7 GB of memory and a few dozen megabytes of disk. */
const WANTED_BYTES = GIB;

/** What `doctor` knows of the adapter. */
export interface AdapterFound {
  /** As the driver names it. */
  readonly name: string;
  /** Does it compute on the CPU? */
  readonly isSoftware: boolean;
  /** Features that kernels make use of, if the device has them. */
  readonly features: readonly string[];
  /** Largest buffer, in bytes. */
  readonly maxBufferBytes: number;
  /** Largest part of a buffer that a kernel can bind, in bytes. */
  readonly maxBindingBytes: number;
  /** Invocations in a workgroup, at most. */
  readonly maxInvocations: number;
  /** Memory that a workgroup shares, in bytes. */
  readonly workgroupBytes: number;
}

/** What `doctor` knows of a machine. */
export interface Machine {
  /** The adapter; a text says why there is none. */
  readonly adapter: AdapterFound | string;
  /** The version and path of the Deno that runs this. */
  readonly deno: string;
  /** How Deno reaches the adapter, for people: `Vulkan`. */
  readonly backend: string;
  /** The kept measurement of kernels: its path, and whether it is whole, begun, absent or turned off. */
  readonly tuning: { readonly state: "whole" | "begun" | "absent" | "off"; readonly path: string | null };
  /** Logical CPU cores. */
  readonly cores: number;
  /** Memory that programs can still get, in bytes. */
  readonly memoryBytes: number;
  /** Free bytes on the disk that keeps runs; null if the system does not say. */
  readonly diskBytes: number | null;
}

/** A finding: what would be slow or fail and why, and what to do about it. */
export interface Finding {
  /** What, and why. */
  readonly state: string;
  /** What to do. */
  readonly remedy: string;
}

const options = defineOptions({
  json: { type: "boolean", default: false, meaning: "print what was found as JSON on stdout" },
});

/** Lists what is wrong or slow on a machine, the worst first. */
export function findingsOf({ adapter, tuning, cores, memoryBytes, diskBytes }: Machine): Finding[] {
  const found: Finding[] = [];
  const add = (isSo: boolean, state: string, remedy: string) => isSo && found.push({ state, remedy });
  if (typeof adapter === "string") {
    add(
      true,
      `Nothing can train or act here: ${adapter}`,
      "install a GPU driver with Vulkan, or software Vulkan: apt-get install mesa-vulkan-drivers",
    );
  } else {
    const lacks = (feature: string) => !adapter.features.includes(feature);
    add(
      adapter.isSoftware,
      `Kernels are slow: ${adapter.name} computes on the CPU, on ${cores} cores`,
      "if this machine has a GPU, install its Vulkan driver; vulkaninfo lists what is found",
    );
    add(
      !adapter.isSoftware && lacks("subgroups"),
      "Kernels are slower than they could be: the device has no subgroups",
      "a newer driver may have them; nothing fails without",
    );
    add(
      !adapter.isSoftware && lacks("shader-f16"),
      "Products stay in single precision: the device has no shader-f16",
      "a newer driver may have it; nothing fails without",
    );
    add(
      !adapter.isSoftware && lacks("timestamp-query"),
      "Times of kernels are not exact: the device has no timestamp-query",
      "nothing to do; only bench and DEBUG=2 show such times",
    );
    add(
      tuning.state === "off",
      "Kernels may be slower than they could be: PONDER_TUNING=off takes the usual variants unmeasured",
      "unset PONDER_TUNING",
    );
    add(
      (tuning.state === "absent" || tuning.state === "begun") && tuning.path !== null,
      "The next command that trains or acts takes a few seconds longer: it measures kernels for this adapter",
      "nothing to do; later commands take the result",
    );
    add(
      tuning.state !== "off" && tuning.path === null,
      "Every command measures kernels again: there is no cache folder",
      "set HOME, XDG_CACHE_HOME or PONDER_TUNING",
    );
  }
  add(
    memoryBytes < WANTED_BYTES,
    `Runs may be refused or killed: ${
      formatBytes(memoryBytes)
    } of memory are free, the default run takes 0.7 GB`,
    "end other programs, or lower --envs and --minibatch",
  );
  add(
    diskBytes !== null && diskBytes < WANTED_BYTES,
    `Runs may stop when they save: ${formatBytes(diskBytes ?? 0)} are free on the disk of runs/`,
    "free some, or name a folder on another disk with --out",
  );
  return found;
}

/** Writes what was found as text of at most 80 columns. */
export function formatMachine(machine: Machine): string {
  const { adapter, deno, backend, tuning, cores, memoryBytes, diskBytes } = machine;
  const kept = { whole: "measured", begun: "measured in part", absent: "not measured yet", off: "off" };
  const rows: [name: string, value: string][] = typeof adapter === "string" ? [["adapter", "none"]] : [
    ["adapter", `${adapter.name}${adapter.isSoftware ? ", in software" : ""}`],
    ["features", adapter.features.join(", ") || "none that kernels use"],
    [
      "largest buffer",
      `${formatBytes(adapter.maxBufferBytes)}, ${formatBytes(adapter.maxBindingBytes)} bound`,
    ],
    ["workgroup", `${adapter.maxInvocations} invocations, ${formatBytes(adapter.workgroupBytes)} shared`],
  ];
  rows.push(
    ["deno", deno],
    ["driver", backend],
    ["kernels' choice", kept[tuning.state]],
    ["CPU cores", String(cores)],
    ["free memory", formatBytes(memoryBytes)],
    ["free disk", diskBytes === null ? "unknown" : formatBytes(diskBytes)],
  );
  const left = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => indented(`${name.padEnd(left)}  ${value}`, left + 2));
  const findings = findingsOf(machine);
  const notes = findings.map(({ state, remedy }) =>
    `${indented(`- ${state}.`, 2)}\n${indented(`  To do: ${remedy}.`, 2)}`
  );
  return [...table, "", ...notes.length > 0 ? notes : ["Nothing is in the way."]].join("\n");
}

/** Breaks a line between words, at 80 columns; later lines begin with `indent` blanks. */
function indented(line: string, indent: number): string {
  const feed = `\n${" ".repeat(indent)}`;
  return line.slice(0, indent) + wrapWords(line.slice(indent), 80 - indent).replaceAll("\n", feed);
}

function adapterOf({ adapterName, isSoftware, device: { features, limits } }: Gpu): AdapterFound {
  return {
    name: adapterName,
    isSoftware,
    features: KERNEL_FEATURES.filter((feature) => features.has(feature)),
    maxBufferBytes: limits.maxBufferSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
  };
}

function backendName(): string {
  const wanted = environment("DENO_WEBGPU_BACKEND");
  if (wanted) return wanted.toLowerCase() === "vulkan" ? "Vulkan" : `DENO_WEBGPU_BACKEND=${wanted}`;
  if (Deno.build.os === "darwin") return "Metal";
  const other = Deno.build.os === "windows" ? "Direct3D" : "OpenGL, whose limits are too low";
  return `Vulkan, or ${other} if there is no Vulkan; DENO_WEBGPU_BACKEND=vulkan asks for it`;
}

/** Looks at this machine. Nothing is written, and nothing is measured. */
export async function lookAtMachine(open: () => Promise<Gpu> = openGpu): Promise<Machine> {
  const isOff = environment("PONDER_TUNING") === "off";
  let adapter: AdapterFound | string,
    tuning: Machine["tuning"] = { state: isOff ? "off" : "absent", path: null };
  try {
    const gpu = await open();
    adapter = adapterOf(gpu);
    const kept = await keptTuning(gpu);
    tuning = { path: kept.path, state: isOff ? "off" : kept.state };
    gpu.destroy();
  } catch (error) {
    // A device that cannot be opened is a finding too.
    adapter = error instanceof NoAdapterError ? "there is no WebGPU adapter" : failureMessage(error);
  }
  const disk = await statfs("runs").catch(() => statfs(".")).catch(() => null);
  return {
    adapter,
    deno: `${Deno.version.deno}, ${Deno.execPath()}`,
    backend: backendName(),
    tuning,
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().available,
    diskBytes: disk && disk.bavail * disk.bsize,
  };
}

/** The `doctor` command. */
export const doctorCommand: Command<typeof options> = {
  command: "./ponder doctor",
  summary:
    "Say what this machine has, what would be slow on it and why, and what to do. Exit code 1 without an adapter.",
  examples: ["./ponder doctor", "./ponder doctor --json"],
  options,
  async run({ values: { json } }) {
    const machine = await lookAtMachine();
    const findings = findingsOf(machine);
    processConsole.out(
      (json ? JSON.stringify({ ...machine, findings }, null, 2) : formatMachine(machine)) + "\n",
    );
    return typeof machine.adapter === "string" ? 1 : 0;
  },
};

if (import.meta.main) Deno.exit(await runCommand(doctorCommand, Deno.args, { debug: debugLevel > 0 }));
