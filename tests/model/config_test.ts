import { assert, assertEquals, assertThrows } from "@std/assert";
import { deriveSizes, modelPresets, parameterSpecs, sizeOf, type VlmConfig } from "../../model/mod.ts";

const nano: VlmConfig = { ...modelPresets.nano, vocabularySize: 96 };

function countOf(config: VlmConfig): number {
  return parameterSpecs(config).reduce((count, { shape }) => count + sizeOf(shape), 0);
}

for (const [name, millions] of [["pico", 0.06], ["nano", 0.5], ["micro", 3], ["mini", 15]] as const) {
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
  [{ normEpsilon: 0 }, "normEpsilon must be a number above 0, at most 1, got 0"],
  [{ normEpsilon: 1.5 }, "normEpsilon must be a number above 0, at most 1, got 1.5"],
  [{ normEpsilon: NaN }, "normEpsilon must be a number above 0, at most 1, got NaN"],
  [{ normEpsilon: "1" }, 'normEpsilon must be a number above 0, at most 1, got "1"'],
  [{ normEpsilon: [1] }, "normEpsilon must be a number above 0, at most 1, got a list of 1"],
  [{ normEpsilon: undefined }, "normEpsilon must be a number above 0, at most 1, got undefined"],
  [{ imageNormalization: "per-pixel" }, 'imageNormalization must be per-image or fixed, got "per-pixel"'],
  [{ imageNormalization: ["fixed"] }, "imageNormalization must be per-image or fixed, got a list of 1"],
  [{ layers: 1e9 }, "layers must be a whole number from 1 to 1000, got 1000000000"],
  [{ visionLayers: 1001 }, "visionLayers must be a whole number from 1 to 1000, got 1001"],
];
for (const [change, message] of misfits) {
  Deno.test(`a model is refused when ${message}`, () => {
    const config = { ...nano, ...change } as VlmConfig;
    assertThrows(() => deriveSizes(config), RangeError, `Cannot use this model: ${message}`);
  });
}

const counts = Object.entries(nano).filter(([name, value]) =>
  typeof value === "number" && name !== "normEpsilon"
);
for (const [name] of counts) {
  Deno.test(`a model is refused when ${name} is anything but a whole number in its range`, () => {
    const values: unknown[] = [
      undefined,
      null,
      true,
      "64",
      [64],
      {},
      NaN,
      Infinity,
      -64,
      0,
      12.5,
      1e9,
      2 ** 53,
    ];
    for (const value of values) {
      const config = { ...nano, [name]: value } as VlmConfig;
      for (const use of [deriveSizes, parameterSpecs]) {
        assertThrows(
          () => use(config),
          RangeError,
          `Cannot use this model: ${name} must be a whole number from`,
        );
      }
    }
  });
}

Deno.test("a config that is no object is refused", () => {
  for (const value of [null, undefined, 1, "nano"]) {
    assertThrows(
      () => deriveSizes(value as unknown as VlmConfig),
      RangeError,
      "its config must be an object",
    );
  }
});

Deno.test("a long value is quoted in part", () => {
  const config = { ...nano, imageNormalization: "x".repeat(2_000_000) } as unknown as VlmConfig;
  const { message } = assertThrows(() => deriveSizes(config), RangeError);
  assert(message.length < 250, `message of ${message.length} characters`);
});
