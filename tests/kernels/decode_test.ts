import { assert, assertEquals, assertThrows } from "@std/assert";
import { cases } from "../../kernels/decode/cases.ts";
import { decodesInOneLaunch, decodeStep, type DecodeStepShape } from "../../kernels/decode/mod.ts";
import { environment } from "../../kernels/gpu/mod.ts";
import { gpuTest, onGpu } from "../gpu.ts";
import { checkCase, gpuWithoutSubgroups, testCases } from "./check_cases.ts";

testCases(cases);

const nano: DecodeStepShape = {
  B: 32,
  C: 96,
  H: 4,
  layers: 3,
  capacity: 40,
  positions: 64,
  V: 64,
  epsilon: 1e-5,
};

Deno.test({
  name: "a decoding step matches its reference on a device without subgroups",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuWithoutSubgroups();
    await checkCase(gpu, cases.find(({ name }) => name.startsWith("11 sequences"))!, "texture");
    gpu.destroy();
  },
});

gpuTest("a software adapter decodes in one launch what the kernel can do, other sizes op by op", (gpu) => {
  const forced = environment("PONDER_VARIANT");
  const takesTexture = gpu.isSoftware && (forced === undefined || forced === "texture");
  assertEquals(decodesInOneLaunch(gpu, nano), takesTexture);
  assert(!decodesInOneLaunch(gpu, { ...nano, C: 100, H: 10 }));
  assert(!decodesInOneLaunch(gpu, { ...nano, V: 65 }));
  assert(!decodesInOneLaunch(gpu, { ...nano, C: 2048, layers: 24 }));
});

gpuTest("sizes that the kernel cannot do are refused, and operands that are too short", (gpu) => {
  const slice = gpu.placeholder;
  const operands = {
    parameters: slice,
    offsets: slice,
    current: slice,
    position: slice,
    cache: slice,
    scratch: slice,
    logits: slice,
  };
  const refusals: [Partial<DecodeStepShape>, string][] = [
    [{ C: 100, H: 10 }, "head size 10 is not a multiple of 4"],
    [{ V: 65 }, "a vocabulary of 65 is not a multiple of 4"],
    [{ C: 2048, layers: 24 }, "an invocation would loop"],
    [{}, "placeholder has 4 words, it needs 41"],
  ];
  for (const [change, message] of refusals) {
    assertThrows(() => decodeStep(gpu, operands, { ...nano, ...change }), RangeError, message);
  }
});
