/** What `doctor` finds on machines, with an adapter and without. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { NoAdapterError } from "../../kernels/gpu/mod.ts";
import { findingsOf, formatMachine, lookAtMachine, type Machine } from "../../commands/doctor.ts";
import { gpuTest } from "../gpu.ts";

const GIB = 2 ** 30;
const fast: Machine = {
  adapter: {
    name: "Some GPU",
    isSoftware: false,
    features: ["subgroups", "shader-f16", "timestamp-query"],
    maxBufferBytes: 4 * GIB,
    maxBindingBytes: 2 * GIB,
    maxInvocations: 1024,
    workgroupBytes: 32768,
  },
  deno: "2.9.6, /home/me/.deno/bin/deno",
  backend: "Vulkan",
  tuning: { state: "whole", path: "/cache/tuning.json" },
  cores: 8,
  memoryBytes: 16 * GIB,
  diskBytes: 100 * GIB,
};

Deno.test("a machine with a GPU and room has nothing in the way", () => {
  assertEquals(findingsOf(fast), []);
  const text = formatMachine(fast);
  for (
    const part of [
      "Some GPU",
      "2.9.6, /home/me/.deno/bin/deno",
      "4.00 GiB, 2.00 GiB bound",
      "Vulkan",
      "16.0 GiB",
      "100 GiB",
      "Nothing is in the way.",
    ]
  ) {
    assertStringIncludes(text, part);
  }
});

Deno.test("each thing that is slow or in the way is found, with what to do", () => {
  const adapter = fast.adapter as Exclude<Machine["adapter"], string>;
  const cases: [change: Partial<Machine>, state: string, remedy: string][] = [
    [{ adapter: { ...adapter, isSoftware: true } }, "computes on the CPU, on 8 cores", "Vulkan driver"],
    [
      { adapter: { ...adapter, features: ["shader-f16", "timestamp-query"] } },
      "no subgroups",
      "newer driver",
    ],
    [
      { adapter: { ...adapter, features: ["subgroups", "timestamp-query"] } },
      "no shader-f16",
      "newer driver",
    ],
    [
      { adapter: { ...adapter, features: ["subgroups", "shader-f16"] } },
      "no timestamp-query",
      "nothing to do",
    ],
    [{ tuning: { state: "off", path: null } }, "PONDER_TUNING=off", "unset PONDER_TUNING"],
    [{ tuning: { state: "absent", path: "/cache/a.json" } }, "a few seconds longer", "nothing to do"],
    [{ tuning: { state: "absent", path: null } }, "no cache folder", "set HOME"],
    [{ memoryBytes: GIB / 2 }, "512 MiB of memory", "end other programs"],
    [{ diskBytes: GIB / 4 }, "256 MiB are free on the disk", "--out"],
    [{ adapter: "there is no WebGPU adapter" }, "Nothing can train", "mesa-vulkan-drivers"],
  ];
  for (const [change, state, remedy] of cases) {
    const [finding, ...others] = findingsOf({ ...fast, ...change });
    assertEquals(others, []);
    assertStringIncludes(finding!.state, state);
    assertStringIncludes(finding!.remedy, remedy);
    const text = formatMachine({ ...fast, ...change });
    assert(text.split("\n").every((line) => line.length <= 80), text);
  }
});

Deno.test("without an adapter the rest is told all the same", async () => {
  const machine = await lookAtMachine(() => Promise.reject(new NoAdapterError("none")));
  assertEquals(machine.adapter, "there is no WebGPU adapter");
  assert(machine.memoryBytes > 0 && machine.cores > 0 && (machine.diskBytes ?? 1) > 0);
  assertStringIncludes(formatMachine(machine), "adapter          none");
});

gpuTest("this machine's adapter is named, with its limits", async (gpu) => {
  const { adapter } = await lookAtMachine();
  assert(typeof adapter !== "string");
  assertEquals([adapter.name, adapter.isSoftware], [gpu.adapterName, gpu.isSoftware]);
  assertEquals(adapter.maxBufferBytes, gpu.device.limits.maxBufferSize);
});
