/**
 * Compares a pretrained folder with exact answers of another implementation: a golden file has pictures, ids, and what a model
 * makes of them.
 *
 * @module
 */
import {
  AdamW,
  generate,
  type HostTensor,
  layOut,
  type Parameter,
  pictureOf,
  type Pretrained,
  scale,
  type Segment,
  type Sequence,
  sum,
  Tape,
  toAdapter,
  toPretrained,
  type Vlm,
} from "../../model/mod.ts";

/** What a golden file asks, and the answers that it has; an answer that is absent is not compared. */
export interface Golden {
  /** Stands for a picture; the folder's own when absent. */
  readonly image_token_id?: number;
  /** Pictures as [image][row][column][rgb], one for each row of ids. */
  readonly pixels_u8: number[][][][];
  readonly input_ids: number[][];
  /** Ids from here on are the response, which the loss is about. */
  readonly prompt_length: number;
  /** -100 for ids that are left out of the loss. */
  readonly labels?: number[][];
  readonly image_features_first_image?: number[];
  readonly logits_last_7_positions?: number[][];
  readonly loss?: number;
  readonly gradients?: Record<string, { readonly norm: number; readonly first: number[] }>;
  readonly "adamw_lr1e-3_wd0.01_losses"?: number[];
  readonly greedy_8_after_prompt?: number[][];
  readonly rope_far?: { readonly logits: number[] };
}

/** One comparison. */
export interface Difference {
  /** What is compared. */
  readonly what: string;
  /** Largest difference; for tokens the number of those that differ. */
  readonly difference: number;
  /** Largest difference that counts as equal. */
  readonly bound: number;
  /** Where the difference is largest, if that has a name. */
  readonly where?: string;
}

/** Bounds of the comparisons: of values, and of gradients and losses after steps. */
export const GOLDEN_BOUNDS = { value: 2e-5, gradient: 1e-4, step: 1e-4 } as const;
/** Added to a gradient's norm before dividing by it, since some are zero but for rounding. */
const NORM_FLOOR = 1e-3;
const FAR = 4096;
/** Larger than any vocabulary: generation does not end early. */
const NO_TOKEN = 1 << 30;

/**
 * Reads a golden file's object. An adapter's golden has answers alone: it takes the question from `base`.
 *
 * @throws {RangeError} when what is asked is missing or of another form.
 */
export function readGolden(json: unknown, base: unknown = {}): Golden {
  if (!isObject(json) || !isObject(base)) throw new RangeError("it must be a JSON object");
  const golden = { ...json };
  for (const name of ["image_token_id", "pixels_u8", "input_ids", "prompt_length", "labels"]) {
    golden[name] ??= base[name];
  }
  const { input_ids: rows, pixels_u8: pixels, prompt_length: start, labels } = golden;
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every((row) => isNumbers(row))) {
    throw new RangeError("input_ids must be lists of token ids");
  }
  if (!Array.isArray(pixels) || pixels.length !== rows.length || !pixels.every((one) => Array.isArray(one))) {
    throw new RangeError("pixels_u8 must have one picture for each row of input_ids");
  }
  const length = Math.min(...rows.map(({ length }) => length));
  if (!Number.isInteger(start) || (start as number) < 1 || (start as number) >= length) {
    throw new RangeError("prompt_length must be a whole number within each row of input_ids");
  }
  if (labels !== undefined) {
    const isResponse = Array.isArray(labels) && labels.length === rows.length &&
      rows.every((row, b) =>
        row.every((id: number, i: number) => labels[b]?.[i] === (i < (start as number) ? -100 : id))
      );
    if (!isResponse) {
      throw new RangeError("labels must be -100 within the prompt, and the ids from prompt_length on");
    }
  }
  return golden as unknown as Golden;
}

/**
 * Compares a model with a golden. The model's weights are changed, if the golden has losses of training steps.
 *
 * @throws {RangeError} when the golden does not fit the model.
 */
export async function compareWithGolden(
  { vlm, imageTokenId }: Pretrained,
  golden: Golden,
): Promise<Difference[]> {
  const { gpu, config } = vlm;
  const sequences = sequencesOf(golden, golden.image_token_id ?? imageTokenId);
  const found: Difference[] = [];
  const compare = (what: string, got: ArrayLike<number>, want: ArrayLike<number>) => {
    found.push({ what, difference: largest(got, want, what), bound: GOLDEN_BOUNDS.value });
  };
  if (golden.image_features_first_image !== undefined) {
    using tape = new Tape(gpu, { record: false });
    const pixels = Uint8Array.from(golden.pixels_u8[0].flat(2));
    const [got] = await gpu.read(vlm.imageTokens(tape, { pixels, images: 1 }).data);
    compare("image features", got, golden.image_features_first_image);
  }
  if (golden.logits_last_7_positions !== undefined) {
    const got = await lastLogits(vlm, sequences, golden.input_ids);
    compare("logits", got, golden.logits_last_7_positions.flat());
  }
  if (golden.rope_far !== undefined) {
    using tape = new Tape(gpu, { record: false });
    const ids = golden.input_ids[0].slice(-5);
    const far = layOut([{ prompt: [{ kind: "text", ids }], response: [] }], config);
    const positions = far.positions.map((position) => position + FAR);
    const [got] = await gpu.read(vlm.logits(tape, vlm.hidden(tape, { ...far, positions })).data);
    compare(`logits at ${FAR}`, got, golden.rope_far.logits);
  }
  if (golden.greedy_8_after_prompt !== undefined) {
    const want = golden.greedy_8_after_prompt;
    const greedy = await generate(vlm, sequences.map(({ prompt }) => prompt), {
      ...{
        maxNewTokens: 8,
        temperature: 1,
        greedy: true,
        endId: NO_TOKEN,
        padId: 0,
        random: new Uint32Array(4),
      },
    });
    const unequal = want.flatMap((ids, b) => ids.filter((id, i) => greedy[b]?.ids[i] !== id)).length;
    found.push({ what: "greedy tokens", difference: unequal, bound: 0 });
  }
  found.push(...await compareTraining(vlm, sequences, golden));
  if (found.length === 0) throw new RangeError("it has no answers to compare with");
  return found;
}

/** Loss and gradients, then the losses of AdamW's steps. */
async function compareTraining(
  vlm: Vlm,
  sequences: readonly Sequence[],
  golden: Golden,
): Promise<Difference[]> {
  const { gpu, config, parameters } = vlm;
  const { loss: wanted, gradients: answers, "adamw_lr1e-3_wd0.01_losses": losses = [] } = golden;
  if (wanted === undefined && answers === undefined && losses.length === 0) return [];
  const isAdapter = config.lora !== undefined;
  const isTrained = ({ kind }: Parameter) => !isAdapter || kind === "adapter";
  parameters.train(isTrained);
  const optimizer = losses.length === 0 ? null : new AdamW(gpu, parameters, (parameter) => ({
    learningRateScale: Number(isTrained(parameter)),
    weightDecay: 0.01,
    clipGroup: "policy",
  }));
  const found: Difference[] = [];
  const layout = layOut(sequences, config);
  const tokens = layout.mask.reduce((a, b) => a + b);
  let worst = 0;
  for (let step = 0; step < Math.max(1, losses.length); step++) {
    using tape = new Tape(gpu, { record: true });
    const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, layout), layout, 1);
    const loss = tape.keep(scale(tape, sum(tape, logprob), -1 / tokens));
    tape.backward(loss);
    const [[got]] = await gpu.read(loss.data);
    if (losses.length > 0) worst = larger(worst, Math.abs(got - losses[step]));
    if (step === 0) {
      if (wanted !== undefined) {
        found.push({ what: "loss", difference: Math.abs(got - wanted), bound: GOLDEN_BOUNDS.value });
      }
      if (answers !== undefined) {
        const ours = await parameters.gradientsToHost();
        // Gradients mostly have the names of Idefics3, whatever the folder.
        const format = Object.keys(answers).some((name) => name.startsWith("decoder."))
          ? "nanovlm"
          : "idefics3";
        const theirs = isAdapter ? toAdapter(config, ours, format) : toPretrained(format, config, ours);
        found.push(...compareGradients(theirs, answers, isAdapter));
      }
    }
    optimizer?.update({
      ...{ learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, policyClip: 0, valueClip: 0 },
    });
  }
  optimizer?.dispose();
  if (losses.length > 0) {
    found.push({ what: `losses of ${losses.length} steps`, difference: worst, bound: GOLDEN_BOUNDS.step });
  }
  return found;
}

/** Norms and first values, relative to the norms. */
function compareGradients(
  theirs: Map<string, HostTensor>,
  answers: NonNullable<Golden["gradients"]>,
  isAdapter: boolean,
): Difference[] {
  const norms = {
    what: "gradient norms (relative)",
    difference: 0,
    bound: GOLDEN_BOUNDS.gradient,
    where: "",
  };
  const values = { ...norms, what: "gradients (relative)" };
  const names = Object.keys(answers);
  if (names.length !== theirs.size) {
    throw new RangeError(`it has gradients of ${names.length} tensors, the model has ${theirs.size}`);
  }
  for (const [name, { norm, first }] of Object.entries(answers)) {
    const key = isAdapter ? name.replace(/^(.*)\.([AB])$/, "base_model.model.$1.lora_$2.weight") : name;
    const data = theirs.get(key)?.data;
    if (data === undefined) throw new RangeError(`the model has no tensor ${name}`);
    const length = Math.sqrt(data.reduce((sum, value) => sum + value ** 2, 0));
    const scale = norm + NORM_FLOOR;
    const pairs = [
      [norms, Math.abs(length - norm) / scale],
      [values, largest(data.slice(0, first.length), first, name) / scale],
    ] as const;
    for (const [all, difference] of pairs) {
      if (larger(all.difference, difference) === all.difference) continue;
      all.difference = difference;
      all.where = name;
    }
  }
  return [norms, values];
}

/** Logits of the last seven positions of each row. */
async function lastLogits(
  vlm: Vlm,
  sequences: readonly Sequence[],
  rows: readonly (readonly number[])[],
): Promise<Float32Array> {
  using tape = new Tape(vlm.gpu, { record: false });
  const layout = layOut(sequences, vlm.config);
  const last = rows.flatMap((ids, b) =>
    Array.from({ length: 7 }, (_, i) => b * layout.T + ids.length - 7 + i)
  );
  const hidden = vlm.hidden(tape, { ...layout, readouts: Int32Array.from(last) });
  return (await vlm.gpu.read(vlm.logits(tape, hidden).data))[0];
}

function sequencesOf(
  { pixels_u8: pixels, input_ids, prompt_length: start }: Golden,
  imageToken: number | null,
) {
  return input_ids.map((ids, b) => ({
    prompt: segmentsOf(ids.slice(0, start), imageToken, pixels[b]),
    response: ids.slice(start),
  }));
}

/** Texts and pictures of a row of ids; a run of image tokens is one picture. */
function segmentsOf(ids: readonly number[], imageToken: number | null, pixels: number[][][]): Segment[] {
  const segments: Segment[] = [];
  let text: number[] = [];
  const endText = () => {
    if (text.length > 0) segments.push({ kind: "text", ids: text });
    text = [];
  };
  ids.forEach((id, i) => {
    if (id !== imageToken) text.push(id);
    else if (ids[i - 1] !== imageToken) {
      endText();
      segments.push({ kind: "image", picture: pictureOf(Uint8Array.from(pixels.flat(2))) });
    }
  });
  endText();
  return segments;
}

function largest(got: ArrayLike<number>, want: ArrayLike<number>, what: string): number {
  if (got.length !== want.length) {
    throw new RangeError(`it has ${want.length} values of ${what}, the model ${got.length}`);
  }
  let worst = 0;
  for (let i = 0; i < got.length; i++) worst = larger(worst, Math.abs(got[i] - want[i]));
  return worst;
}

/** The larger of two differences; what is no number is the largest. */
function larger(a: number, b: number): number {
  return Number.isNaN(a) || a >= b ? a : b;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isInteger(one) && one >= 0);
}
