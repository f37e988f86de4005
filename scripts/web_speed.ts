/**
 * Measures what the product of 512 x 512 x 512 and a step of the warm start reach of the ceilings of their adapter, and how long
 * a readback takes: in Deno, and in Chromium on the adapter that it has.
 *
 * @module
 */
import { type Command, defineOptions, runCommand } from "../rl/cli/mod.ts";
import { openModule, testBrowser } from "../tests/browser.ts";
import { measureSpeed, measureStep, type Speed } from "../tests/web/speed_page.ts";

const VARIANTS = ["quads", "texture"];

const percent = (share: number) => `${(100 * share).toFixed(1)}% of the multiply-add rate`;

/** What a place reached: the best product and the step, as shares of its multiply-add rate. */
interface Shares {
  readonly product: number;
  readonly step: number;
}

function tell(where: string, speed: Speed, step: Awaited<ReturnType<typeof measureStep>>): Shares {
  const { adapter, multiplyAdd, copy, readbackMs, matmul } = speed;
  console.log(
    `${where}, ${adapter}: multiply-add ${multiplyAdd.toFixed(1)} GFLOP/s, copy ${copy.toFixed(1)} GB/s, ` +
      `readback ${readbackMs.toFixed(2)} ms`,
  );
  const line = (name: string, ms: number, gflops: number) =>
    console.log(
      `  ${name.padEnd(8)} ${ms.toFixed(1).padStart(8)} ms ${gflops.toFixed(2).padStart(7)} GFLOP/s, ${
        percent(gflops / multiplyAdd)
      }`,
    );
  let most = 0;
  for (const [variant, result] of Object.entries(matmul)) {
    if (result === null) continue;
    most = Math.max(most, result.gflops);
    line(variant, result.ms, result.gflops);
  }
  line("SFT step", step.ms, step.gflops);
  return { product: most / multiplyAdd, step: step.gflops / multiplyAdd };
}

const options = defineOptions({
  turns: { type: "integer", default: 20, min: 1, meaning: "times that each is measured; the best counts" },
});

const webSpeedCommand: Command<typeof options> = {
  command: "deno run -A scripts/web_speed.ts",
  summary:
    "Measure kernels in Deno and in Chromium, as shares of what each adapter can do. It needs Chromium.",
  examples: ["deno run -A scripts/web_speed.ts", "deno run -A scripts/web_speed.ts --turns 5"],
  options,
  async run({ values: { turns } }) {
    const steps = Math.ceil(turns / 4);
    const inDeno = tell("Deno", await measureSpeed(VARIANTS, turns), await measureStep(steps));
    await using module = await openModule("tests/web/speed_page.ts");
    const speed = await module.call<Speed>("measureSpeed", VARIANTS, turns);
    const inBrowser = tell("Browser", speed, await module.call("measureStep", steps));
    const share = (name: keyof Shares) => `${(100 * inBrowser[name] / inDeno[name]).toFixed(0)}%`;
    console.log(
      `The browser reaches ${share("product")} of the share that Deno's best product reaches, and ${
        share("step")
      } of that of its step`,
    );
    await (await testBrowser()).close();
  },
};

if (import.meta.main) Deno.exit(await runCommand(webSpeedCommand, Deno.args));
