/**
 * Measures what the product of 512 x 512 x 512 reaches of the ceilings of its adapter, and how long a readback takes: in Deno,
 * and in Chromium on the adapter that it has.
 *
 *     deno run -A scripts/web_speed.ts
 */
import { openModule, testBrowser } from "../tests/browser.ts";
import { measureSpeed, type Speed } from "../tests/web/speed_page.ts";

const VARIANTS = ["quads", "texture", "naive", "tiled"];
const TURNS = 20;

function tell(where: string, { adapter, multiplyAdd, copy, readbackMs, matmul }: Speed): number {
  console.log(
    `${where}, ${adapter}: multiply-add ${multiplyAdd.toFixed(1)} GFLOP/s, copy ${copy.toFixed(1)} GB/s, ` +
      `readback ${readbackMs.toFixed(2)} ms`,
  );
  let most = 0;
  for (const [variant, result] of Object.entries(matmul)) {
    if (result === null) continue;
    const share = result.gflops / multiplyAdd;
    most = Math.max(most, share);
    console.log(
      `  ${variant.padEnd(8)} ${result.ms.toFixed(1).padStart(8)} ms ${
        result.gflops.toFixed(2).padStart(7)
      } GFLOP/s, ${(100 * share).toFixed(1)}% of the multiply-add rate`,
    );
  }
  return most;
}

// In turns: what else the machine does slows both.
const inDeno = tell("Deno", await measureSpeed(VARIANTS, TURNS));
await using module = await openModule("tests/web/speed_page.ts");
const inBrowser = tell("Browser", await module.call<Speed>("measureSpeed", VARIANTS, TURNS));
console.log(
  `The browser's best variant reaches ${
    (100 * inBrowser / inDeno).toFixed(0)
  }% of the share that Deno's does`,
);
await (await testBrowser()).close();
Deno.exit(0);
