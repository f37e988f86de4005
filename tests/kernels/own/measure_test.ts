import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Gpu, measureKernel } from "../../../kernels/mod.ts";

/** A GPU whose launches take a millisecond each of a clock that only they move. */
function withClock(launchMs: (launched: number) => number) {
  const { now } = performance;
  let [timeMs, launched] = [0, 0];
  performance.now = () => timeMs;
  return {
    gpu: { read: () => Promise.resolve([]), placeholder: null } as unknown as Gpu,
    launch: () => void (timeMs += launchMs(launched++)),
    [Symbol.dispose]: () => void (performance.now = now),
  };
}

Deno.test("a measurement has as many launches as take its time, and its time is a launch's", async () => {
  using clock = withClock(() => 0.5);
  const { medianUs, lowUs, highUs, rounds, launches } = await measureKernel(clock.gpu, clock.launch, {
    rounds: 5,
    sampleMs: 10,
    warmUpMs: 0,
  });
  assertEquals([medianUs, lowUs, highUs, rounds], [500, 500, 500, 5]);
  assert(launches >= 10 && launches <= 20, `${launches} launches`);
});

Deno.test("what the warm-up costs is not measured", async () => {
  using clock = withClock((launched) => launched === 0 ? 5000 : launched < 40 ? 10 : 1);
  const { medianUs, highUs } = await measureKernel(clock.gpu, clock.launch, {
    rounds: 7,
    sampleMs: 4,
    warmUpMs: 500,
  });
  assertEquals([medianUs, highUs], [1000, 1000]);
});

Deno.test("the median and quartiles are those of the rounds", async () => {
  // Launch 0 compiles, launch 1 is the warm-up, then a launch a round.
  const us = [0, 8000, 3000, 1000, 2000, 5000, 4000];
  using clock = withClock((launched) => us[launched] / 1e3);
  assertEquals(
    await measureKernel(clock.gpu, clock.launch, { rounds: 5, sampleMs: 8, warmUpMs: 0 }),
    { medianUs: 3000, lowUs: 2000, highUs: 4000, rounds: 5, launches: 1 },
  );
});

Deno.test("no rounds are refused", async () => {
  using clock = withClock(() => 1);
  for (const rounds of [0, 2.5, NaN]) {
    await assertRejects(
      () => measureKernel(clock.gpu, clock.launch, { rounds }),
      RangeError,
      `Cannot measure ${rounds} rounds`,
    );
  }
});
