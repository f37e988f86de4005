/** Faults of the GPU, injected into a run at a moment of choice; the table of all of them is also a task of its own. */
import { assert, assertEquals } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import {
  DeviceLostError,
  type Gpu,
  openGpu,
  OutOfMemoryError,
  SubmissionError,
} from "../../../kernels/gpu/mod.ts";
import { type Algorithm, ppo } from "../../../rl/algorithms/mod.ts";
import type { TrainConfig } from "../../../rl/config.ts";
import { settingsOf } from "../../../rl/config.ts";
import { checkRun } from "../../../rl/run/check.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { runTraining } from "../../../rl/run/run.ts";
import type { RunResult } from "../../../rl/run/state.ts";
import { testGpu } from "../../gpu.ts";
import { metricsOf } from "../tiny_run.ts";

/** What breaks. */
interface Kind {
  readonly name: string;
  readonly inject: (gpu: Gpu) => void;
  /** What it must be told as. */
  readonly error: new (message: string) => Error;
}

const dispatch = (gpu: Gpu, error: GPUError) =>
  gpu.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));

/** Has the next submission done otherwise. */
function nextSubmission(
  { device: { queue } }: Gpu,
  submit: (commands: Iterable<GPUCommandBuffer>, proper: GPUQueue["submit"]) => void,
): void {
  const proper = queue.submit;
  queue.submit = (commands) => {
    queue.submit = proper;
    submit(commands, proper.bind(queue));
  };
}

/** Ways in which a device fails. */
export const KINDS: readonly Kind[] = [
  { name: "the device is lost", inject: (gpu) => gpu.device.destroy(), error: DeviceLostError },
  {
    name: "a submission is refused",
    inject: (gpu) =>
      nextSubmission(gpu, (commands, submit) => {
        const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        const [from, to] = [0, 1].map(() => gpu.device.createBuffer({ size: 4, usage }));
        const encoder = gpu.device.createCommandEncoder();
        encoder.copyBufferToBuffer(from, 0, to, 0, 4);
        const invalid = encoder.finish();
        from.destroy();
        submit([...commands, invalid]);
      }),
    error: SubmissionError,
  },
  {
    name: "a submission vanishes",
    inject: (gpu) => nextSubmission(gpu, () => {}),
    error: SubmissionError,
  },
  {
    name: "a call is invalid",
    inject: (gpu) => void gpu.device.createBuffer({ size: 2 ** 45, usage: GPUBufferUsage.STORAGE }),
    error: SubmissionError,
  },
  {
    name: "memory runs out",
    inject: (gpu) => void dispatch(gpu, new GPUOutOfMemoryError("no room for 8 GB")),
    error: OutOfMemoryError,
  },
];

/** When it breaks. */
export const MOMENTS = [
  "in the warm start",
  "in the evaluation after it",
  "while acting",
  "while learning",
  "while saving",
] as const;
export type Moment = typeof MOMENTS[number];

/** Trains on a GPU of its own, which breaks; `inject` null for one that does not. */
export async function trainFaultily(
  out: string,
  config: TrainConfig,
  gpu: Gpu,
  fault: { readonly inject: (gpu: Gpu) => void; readonly moment: Moment } | null,
): Promise<RunResult> {
  let isInjected = false;
  let iterations = 0;
  const at = (moment: Moment) => {
    if (isInjected || fault?.moment !== moment) return;
    isInjected = true;
    fault.inject(gpu);
  };
  const algorithm = {
    ...ppo,
    score: (...args: Parameters<NonNullable<typeof ppo.score>>) => {
      if (iterations === 1) at("while learning");
      return ppo.score!(...args);
    },
  } as unknown as Algorithm;
  const settle = gpu.settle.bind(gpu);
  gpu.settle = () => {
    if (iterations === 2) at("while saving");
    return settle();
  };
  await using folder = await RunFolder.create(out, config);
  if (!config.resume) await folder.writeConfig(settingsOf(config));
  return await runTraining(config, {
    gpu,
    environment: numberLine,
    algorithm,
    folder,
    progress: {
      update: ({ stage, step }) => {
        if (stage === "rl") iterations++;
        if (stage === "sft" && step === 2) at("in the warm start");
        if (stage === "evaluation after sft") at("in the evaluation after it");
        if (stage === "rl" && iterations === 1) at("while acting");
      },
      note: () => {},
    },
    isStopped: () => false,
  });
}

/** A run that breaks: it ends with that error and a checkpoint from before, and resumes to the same bytes. */
export async function requireHonest(
  out: string,
  config: TrainConfig,
  { kind, moment, expected }: { kind: Kind; moment: Moment; expected: string },
): Promise<void> {
  const failure = await onGpuOfItsOwn((gpu) =>
    trainFaultily(out, config, gpu, { inject: kind.inject, moment }).then(
      () => null,
      (error: unknown) => error,
    )
  );
  const label = `${kind.name} ${moment}`;
  assert(failure instanceof kind.error, `${label}: ${failure}`);
  assert(/^(Cannot|The GPU is out of memory)/.test(failure.message), `${label}: ${failure.message}`);
  const run = await RunFolder.open(out);
  assertEquals(await run.readSummary(), null, label);
  // At each of these moments the last save is from before RL, or there is none.
  const checkpoint = await run.readCheckpoint();
  const { stage, iteration } = checkpoint?.manifest?.progress ?? { stage: "sft", iteration: 0 };
  assertEquals(iteration, 0, label);
  assertEquals(
    stage,
    moment === "in the warm start" || moment === "in the evaluation after it" ? "sft" : "rl",
  );
  if (checkpoint !== null) assert((await checkRun(out)).isWhole, label);
  await trainFaultily(out, { ...config, resume: true }, await testGpu(), null);
  assertEquals(metricsOf(out), expected, label);
}

/** Does `work` on a device that is destroyed afterwards. */
export async function onGpuOfItsOwn<T>(work: (gpu: Gpu) => Promise<T>): Promise<T> {
  const gpu = await openGpu();
  try {
    return await work(gpu);
  } finally {
    gpu.destroy();
  }
}
