/** The device's verdict: faults are injected, and `settle` and `read` must tell them, each as what it is. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  DeviceLostError,
  type Gpu,
  type KernelSource,
  NotFiniteError,
  openGpu,
  OutOfMemoryError,
  read,
  requireFinite,
  SubmissionError,
  write,
} from "../../../kernels/gpu/mod.ts";
import { ownGpuTest } from "../../gpu.ts";

const copy: KernelSource = {
  name: "test/copy",
  source: `@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@compute @workgroup_size(1) fn main() { Y[0] = X[0]; }`,
  constants: {},
};

function launch(gpu: Gpu) {
  const X = gpu.upload(Float32Array.of(7), "X"), Y = gpu.acquire(1, "Y");
  gpu.dispatch({ kernel: copy, bindings: [read(X), write(Y)], workgroups: [1] });
  return { X, Y };
}

ownGpuTest(
  "settle resolves when all that was submitted was carried out, and again when there is nothing new",
  async (gpu) => {
    const { Y } = launch(gpu);
    await gpu.settle();
    await gpu.settle();
    assertEquals((await gpu.read(Y))[0], Float32Array.of(7));
    for (let i = 0; i < 5000; i++) {
      gpu.clear(Y);
      gpu.flush();
    }
    await gpu.settle();
  },
);

ownGpuTest(
  "a submission that the device refuses is thrown by settle, once, and the device goes on",
  async (gpu) => {
    launch(gpu).X.storage.buffer.destroy();
    const error = await assertRejects(
      () => gpu.settle(),
      SubmissionError,
      "the GPU refused what it was told to do",
    );
    assertStringIncludes(error.message, "--resume");
    await gpu.settle();
    assertEquals((await gpu.read(launch(gpu).Y))[0], Float32Array.of(7));
  },
);

ownGpuTest("a submission that vanishes without an error is thrown by settle too", async (gpu) => {
  await gpu.settle();
  const { queue } = gpu.device;
  const submit = queue.submit;
  for (const dropped of [0, 1, 2]) {
    let count = 0;
    queue.submit = (buffers) => {
      if (count++ !== dropped) submit.call(queue, buffers);
    };
    for (let i = 0; i < 3; i++) {
      launch(gpu);
      gpu.flush();
    }
    queue.submit = submit;
    const first = gpu.submissionCount - 3;
    await assertRejects(
      () => gpu.settle(),
      SubmissionError,
      `it did not carry out submission ${first + dropped} of ${first + 3}`,
    );
    await gpu.settle();
  }
});

ownGpuTest("a lost device is named as such by every call from then on", async (gpu) => {
  const { X, Y } = launch(gpu);
  gpu.device.destroy();
  await assertRejects(() => gpu.read(Y), DeviceLostError, "its device was destroyed, open another");
  await assertRejects(() => gpu.settle(), DeviceLostError);
  await assertRejects(() => gpu.settle(), DeviceLostError);
  assertThrows(() => gpu.flush(), DeviceLostError);
  assertThrows(
    () => gpu.dispatch({ kernel: copy, bindings: [read(X), write(Y)], workgroups: [1] }),
    DeviceLostError,
  );
});

ownGpuTest("settle after a loss throws, though nothing was submitted since", async (gpu) => {
  await gpu.settle();
  gpu.device.destroy();
  await assertRejects(() => gpu.settle(), DeviceLostError);
});

Deno.test({
  name: "a loss that the driver reports says how to go on",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    const { device } = await openGpu();
    const lost = Promise.resolve({ reason: "unknown", message: "the driver was reset" });
    Object.defineProperty(device, "lost", { value: lost });
    const { Gpu } = await import("../../../kernels/gpu/gpu.ts");
    const gpu = new Gpu(device, "resets", true);
    await gpu.prime();
    await assertRejects(
      () => gpu.settle(),
      DeviceLostError,
      "Cannot go on: the GPU was lost (the driver was reset); run the command again, with --resume",
    );
    gpu.destroy();
  },
});

ownGpuTest("an absurd buffer and a lack of memory are told apart", async (gpu) => {
  gpu.device.createBuffer({ size: 2 ** 45, usage: GPUBufferUsage.STORAGE });
  await assertRejects(() => gpu.settle(), SubmissionError, "35184372088832");
  const error = new GPUOutOfMemoryError("no room for 8 GB");
  gpu.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
  await assertRejects(() => gpu.settle(), OutOfMemoryError, "no room for 8 GB, use a smaller batch or model");
});

ownGpuTest("settling costs a few milliseconds at most", async (gpu) => {
  const { Y } = launch(gpu);
  await gpu.settle();
  const submissions = gpu.submissionCount;
  gpu.clear(Y);
  await gpu.settle();
  assertEquals(
    gpu.submissionCount,
    submissions + 2,
    "what was recorded, and the look at what was carried out",
  );
});

Deno.test("requireFinite names the first value that is not finite", () => {
  requireFinite("act", [0, -1e38, 1e-45], String);
  for (const value of [NaN, Infinity, -Infinity]) {
    const error = assertThrows(
      () => requireFinite("act", Float32Array.of(1, value, NaN), (i) => `the value of state ${i}`),
      NotFiniteError,
      `Cannot act: the value of state 1 is ${value}; the weights hold NaN or infinity`,
    );
    assert(error instanceof RangeError);
  }
});
