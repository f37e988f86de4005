import { numberLine } from "../../envs/mod.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatSoak, grows, type Look, soak, trendsOf } from "../../bench/soak.ts";
import { Random } from "../../envs/shared/random.ts";
import { gpuTest } from "../gpu.ts";
import "../rl/tiny_run.ts"; // turns tuning off

const samplesOf = (leakBytes: number): Look[] =>
  Array.from({ length: 40 }, (_, i) => ({
    residentBytes: 5e8 + i * leakBytes + (i * 7919 % 13) * 1000,
    gpuBytes: 1e6,
    gpuObjects: 20,
    stepMs: 100 + i * 7919 % 13,
  }));

Deno.test("memory that grows is told from memory that varies", () => {
  assertEquals(grows(trendsOf(samplesOf(1e5)).residentBytes), true);
  const trends = trendsOf(samplesOf(0));
  for (const trend of Object.values(trends)) assertEquals(grows(trend), false);
});

/** Memory of a process that saves every sixth iteration, and wanders by some hundred KiB without going anywhere. */
function wandering(seed: number, leakBytes: number): Look[] {
  const random = new Random(seed, "soak");
  let away = 0;
  return Array.from({ length: 800 }, (_, i) => {
    away = 0.9 * away + 60_000 * (random.float() + random.float() - 1);
    const saving = i % 6 === 0 ? 10 << 20 : 0;
    return { ...samplesOf(0)[0], residentBytes: 5e8 + away + saving + i * leakBytes };
  });
}

Deno.test("what a process takes while it saves neither hides growth nor looks like it", () => {
  const intervals = (leakBytes: number) =>
    Array.from({ length: 100 }, (_, seed) => trendsOf(wandering(seed, leakBytes)).residentBytes);
  const alarms = intervals(0).filter(grows).length;
  assert(alarms <= 5, `${alarms} of 100 that do not grow seem to`);
  assertEquals(intervals(1024).filter(grows).length, 100);
  const held = intervals(5000).filter(({ interval: [low, high] }) => low <= 5000 && 5000 <= high).length;
  assert(held >= 90, `${held} of 100 intervals hold the slope`);
});

Deno.test("the table has a line a measure, with slopes a thousand iterations", () => {
  const samples = samplesOf(1e5);
  const text = formatSoak({
    ...{ command: "./ponder soak", startedAt: "2026-01-01T00:00:00Z", adapter: "a card", deno: "2" },
    ...{ environment: "NumberLine", iterations: 40, warmUp: 0, trends: trendsOf(samples), samples },
  });
  assertStringIncludes(text, "40 iterations on a card");
  assert(/resident memory +477 MiB +481 MiB +95\.\d MiB +95\.\d MiB to 95\.\d MiB +grows/.test(text), text);
  assert(/GPU buffers and textures +20\.0 +20\.0 +0\.0 +0\.0 to 0\.0 +no trend/.test(text), text);
});

gpuTest(
  "a few iterations give a sample each, and GPU objects do not grow once all shapes were seen",
  async (gpu) => {
    let text = "";
    const samples = await soak(gpu, {
      environment: numberLine,
      iterations: 8,
      write: (more) => void (text += more),
    });
    assertEquals(samples.length, 8);
    for (const { residentBytes, gpuBytes, gpuObjects, stepMs } of samples) {
      assert(residentBytes > 1e7 && gpuBytes > 1e5 && gpuObjects > 1 && stepMs > 0);
    }
    assertStringIncludes(text, "rl  128/128");
    const last = samples.slice(-3);
    assertEquals(new Set(last.map(({ gpuObjects }) => gpuObjects)).size, 1);
  },
);
