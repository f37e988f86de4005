/** The count of a forward pass's arithmetic against one from the parameters' shapes. */
import { assertEquals } from "@std/assert";
import {
  CNN_LAYERS,
  cnnFlops,
  cnnParameterSpecs,
  deriveSizes,
  forwardFlops,
  modelPresets,
  parameterSpecs,
  sizeOf,
  type VlmConfig,
} from "../../model/mod.ts";

const nano: VlmConfig = { ...modelPresets.nano, vocabularySize: 96 };

/** Two operations for every weight of a matrix at every row it is applied to, and attention's two products. */
function counted(config: VlmConfig, images: number, B: number, T: number, R: number): number {
  const { patches, imageTokens } = deriveSizes(config);
  const readouts = B * Math.max(R, 1);
  const last = `language.blocks.${config.layers - 1}.`;
  const rowsOf = (name: string) => {
    if (name.startsWith("vision.")) return images * patches;
    if (name.startsWith("projector.")) return images * imageTokens;
    if (name.startsWith("value_head.")) return B;
    if (name === "language.head.weight") return readouts;
    return name.startsWith(last) && !name.includes("qkv") ? readouts : B * T;
  };
  const products = parameterSpecs(config)
    .filter(({ kind }) => kind === "matrix" || kind === "head")
    .reduce((n, { name, shape }) => n + 2 * sizeOf(shape) * rowsOf(name), 0);
  const attention = (layers: number, B: number, T: number, C: number) => layers * B * 2 * (2 * T * T * C);
  return products + attention(config.visionLayers, images, patches, config.visionWidth) +
    attention(config.layers, B, T, config.width);
}

Deno.test("a forward pass's operations are those of its matrices and of attention", () => {
  for (const config of [nano, { ...modelPresets.mini, vocabularySize: 256 }]) {
    for (const [images, B, T, R] of [[1, 1, 36, 14], [5, 8, 48, 20], [0, 3, 12, 0]]) {
      assertEquals(forwardFlops(config, { images, B, T, R }), counted(config, images, B, T, R));
    }
  }
});

Deno.test("the baseline's operations are those of its matrices", () => {
  const config = { ...CNN_LAYERS, imageNormalization: "fixed", actions: 5 } as const;
  // 64 pixels a side become 15, 6 and 4 places.
  const rows: Record<string, number> = {
    "vision.convolutions.0.weight": 15 ** 2,
    "vision.convolutions.1.weight": 6 ** 2,
    "vision.convolutions.2.weight": 4 ** 2,
  };
  const want = cnnParameterSpecs(config)
    .filter(({ kind }) => kind === "matrix")
    .reduce((n, { name, shape }) => n + 2 * 3 * sizeOf(shape) * (rows[name] ?? 1), 0);
  assertEquals(cnnFlops(config, 3), want);
});
