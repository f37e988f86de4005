import { assert, assertEquals, assertThrows } from "@std/assert";
import { deriveSizes, modelPresets, parameterSpecs, sizeOf, type VlmConfig } from "../../model/mod.ts";

const nano: VlmConfig = { ...modelPresets.nano, vocabularySize: 96 };

function countOf(config: VlmConfig): number {
  return parameterSpecs(config).reduce((count, { shape }) => count + sizeOf(shape), 0);
}

for (const [name, millions] of [["nano", 0.5], ["micro", 3], ["mini", 15]] as const) {
  Deno.test(`${name} has about ${millions}M parameters`, () => {
    for (const vocabularySize of [64, 256]) {
      const count = countOf({ ...modelPresets[name], vocabularySize });
      assert(Math.abs(count / (millions * 1e6) - 1) < 0.2, `${count} parameters`);
    }
  });
}

Deno.test("sizes follow from the image, the patches and the merge", () => {
  assertEquals(deriveSizes(nano), { gridSide: 8, patches: 64, imageTokens: 16 });
  assertEquals(deriveSizes({ ...nano, mergeFactor: 1 }).imageTokens, 64);
  assertEquals(deriveSizes({ ...nano, imageSize: 96, patchSize: 16, mergeFactor: 3 }), {
    gridSide: 6,
    patches: 36,
    imageTokens: 4,
  });
});

const misfits: [Partial<Record<keyof VlmConfig, unknown>>, string][] = [
  [{ patchSize: 7 }, "imageSize (64) must be a multiple of patchSize (7)"],
  [{ imageSize: 63, patchSize: 9, mergeFactor: 7 }, "imageSize (63) must be a multiple of a packed word (2)"],
  [{ mergeFactor: 3 }, "imageSize / patchSize (8) must be a multiple of mergeFactor (3)"],
  [{ heads: 5 }, "width (96) must be a multiple of heads (5)"],
  [{ heads: 16 }, "width / heads (6) must be a multiple of a vec4 (4)"],
  [{ visionHeads: 32 }, "visionWidth / visionHeads (2) must be a multiple of a vec4 (4)"],
  [{ vocabularySize: 95 }, "vocabularySize (95) must be a multiple of a vec4 (4)"],
  [{ layers: 0 }, "layers must be a positive integer, got 0"],
  [{ contextLength: 12.5 }, "contextLength must be a positive integer, got 12.5"],
  [{ valueWidth: NaN }, "valueWidth must be a positive integer, got NaN"],
  [{ width: "96" }, "width must be a positive integer, got 96"],
  [{ heads: undefined }, "heads must be a positive integer, got undefined"],
  [{ normEpsilon: 0 }, "normEpsilon must be above 0, got 0"],
  [{ imageNormalization: "per-pixel" }, "imageNormalization must be per-image or fixed, got per-pixel"],
];
for (const [change, message] of misfits) {
  Deno.test(`a model is refused when ${message}`, () => {
    const config = { ...nano, ...change } as VlmConfig;
    assertThrows(() => deriveSizes(config), RangeError, `Cannot use this model: ${message}`);
  });
}
