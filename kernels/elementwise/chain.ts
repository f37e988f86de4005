/**
 * Elementwise ops that follow one another in one launch: what is between them stays in registers.
 *
 *     const chain = buildChain(2, (x, y) => [x.subtract(y).square()]);
 *
 * @module
 */
import {
  type Binding,
  flatGrid,
  type Gpu,
  params,
  read,
  requireSizes,
  requireWords,
  type Slice,
  write,
} from "../gpu/mod.ts";
import source from "./chain.wgsl" with { type: "text" };
import { type BinaryOp, includes, opNumber, type UnaryOp } from "./ops.ts";

/** One op of a chain, on values by number: inputs from 1 on, then steps; 0 if there is no second operand. */
export interface ChainStep {
  /** What it computes. */
  readonly op: UnaryOp | BinaryOp;
  /** Number of the first operand. */
  readonly left: number;
  /** Number of the second operand. */
  readonly right: number;
  /** As in `UnaryShape`. */
  readonly a: number;
  /** As in `UnaryShape`. */
  readonly b: number;
}

/** Ops in the order in which they are applied. */
export interface Chain {
  /** How many inputs it takes. */
  readonly inputs: number;
  /** The ops. */
  readonly steps: readonly ChainStep[];
  /** The values that are results. */
  readonly results: readonly number[];
}

/** A value within a chain; its methods are the ops. */
export class ChainValue {
  /** Its number in the chain. */
  readonly number: number;
  readonly #steps: ChainStep[];
  readonly #inputs: number;

  /** Made by {@linkcode buildChain} and by the ops. */
  constructor(number: number, steps: ChainStep[], inputs: number) {
    this.number = number;
    this.#steps = steps;
    this.#inputs = inputs;
  }

  /** e^x. */
  exp(): ChainValue {
    return this.#then("exp");
  }
  /** Natural logarithm. */
  log(): ChainValue {
    return this.#then("log");
  }
  /** -x. */
  negate(): ChainValue {
    return this.#then("negate");
  }
  /** x^2. */
  square(): ChainValue {
    return this.#then("square");
  }
  /** GELU in its tanh form. */
  gelu(): ChainValue {
    return this.#then("gelu");
  }
  /** max(x, 0). */
  relu(): ChainValue {
    return this.#then("relu");
  }
  /** factor * x. */
  scale(factor: number): ChainValue {
    return this.#then("scale", 0, factor);
  }
  /** x + summand. */
  shift(summand: number): ChainValue {
    return this.#then("shift", 0, summand);
  }
  /** x, but at least `low` and at most `high`. */
  clamp(low: number, high: number): ChainValue {
    return this.#then("clamp", 0, low, high);
  }
  /** x + y. */
  add(other: ChainValue): ChainValue {
    return this.#then("add", other.number);
  }
  /** x - y. */
  subtract(other: ChainValue): ChainValue {
    return this.#then("subtract", other.number);
  }
  /** x * y. */
  multiply(other: ChainValue): ChainValue {
    return this.#then("multiply", other.number);
  }
  /** The smaller of x and y. */
  minimum(other: ChainValue): ChainValue {
    return this.#then("minimum", other.number);
  }
  /** The larger of x and y. */
  maximum(other: ChainValue): ChainValue {
    return this.#then("maximum", other.number);
  }

  #then(op: UnaryOp | BinaryOp, right = 0, a = 0, b = 0): ChainValue {
    const count = this.#steps.push({ op, left: this.number, right, a, b });
    return new ChainValue(this.#inputs + count, this.#steps, this.#inputs);
  }
}

/** The chain that `build` describes: it is given the inputs, and returns the results. */
export function buildChain(
  inputs: number,
  build: (...inputs: ChainValue[]) => readonly ChainValue[],
): Chain {
  const steps: ChainStep[] = [];
  const values = Array.from({ length: inputs }, (_, i) => new ChainValue(i + 1, steps, inputs));
  const results = build(...values).map(({ number }) => number);
  if (results.some((number) => number <= inputs)) {
    throw new RangeError("Cannot build a chain whose result is one of its inputs: use that");
  }
  return { inputs, steps, results };
}

/** Sizes of {@linkcode applyChain} and {@linkcode chainBackward}. */
export interface ChainShape {
  /** Elements of every operand. */
  readonly n: number;
}

/** Y_j = the chain's results. */
export function applyChain(
  gpu: Gpu,
  chain: Chain,
  { X, Y }: { readonly X: readonly Slice[]; readonly Y: readonly Slice[] },
  { n }: ChainShape,
): void {
  launch(gpu, chain, n, { X, dY: [], results: Y, of: chain.results });
}

/** What {@linkcode chainBackward} reads and writes. */
export interface ChainBackwardOperands {
  /** The inputs, (n) each. */
  readonly X: readonly Slice[];
  /** Gradient of each result; null if none arrived. */
  readonly dY: readonly (Slice | null)[];
  /** Gradient of each input, written; null if none is wanted. */
  readonly dX: readonly (Slice | null)[];
}

/** The gradients of inputs from those of results, with the values computed again. */
export function chainBackward(
  gpu: Gpu,
  chain: Chain,
  { X, dY, dX }: ChainBackwardOperands,
  { n }: ChainShape,
): void {
  const given = chain.results.filter((_, j) => dY[j] !== null);
  const wanted = dX.flatMap((slice, i) => slice === null ? [] : [i + 1]);
  const present = (slices: readonly (Slice | null)[]) => slices.filter((slice) => slice !== null);
  launch(gpu, chain, n, { X, dY: present(dY), results: present(dX), of: [...given, ...wanted] });
}

interface ChainLaunch {
  readonly X: readonly Slice[];
  /** Empty for the forward. */
  readonly dY: readonly Slice[];
  readonly results: readonly Slice[];
  /** The values that dY and results belong to. */
  readonly of: readonly number[];
}

const WORKGROUP = 64;

function launch(gpu: Gpu, chain: Chain, n: number, { X, dY, results, of }: ChainLaunch): void {
  const { inputs, steps } = chain;
  const action = `apply a chain of ${steps.map(({ op }) => op).join(", ")}`;
  requireSizes(action, {}, { n });
  if (X.length !== inputs) {
    throw new RangeError(`Cannot ${action}: it has ${inputs} inputs, got ${X.length}`);
  }
  const operands = [...X, ...dY, ...results];
  const most = gpu.device.limits.maxStorageBuffersPerShaderStage;
  if (operands.length > most) {
    throw new RangeError(
      `Cannot ${action}: it has ${operands.length} operands, of which the device allows ${most}, split it`,
    );
  }
  requireWords(action, operands.map((slice) => [slice, n] as const));
  // Four pay on llvmpipe, as for single ops, but compile four times as long.
  const PER_LANE = gpu.isSoftware && n >= 4096 ? 4 : 1;
  const X_END = 1 + inputs;
  const DY_END = X_END + dY.length;
  const constants: Record<string, number | boolean> = {
    X_END,
    DY_END,
    RESULT_END: DY_END + results.length,
    VALUES: X_END + steps.length,
    STEPS: steps.length,
    BACKWARD: dY.length > 0,
    RAGGED: n % 4 !== 0,
    PER_LANE,
  };
  of.forEach((value, i) => constants[`OF_${X_END + i}`] = value);
  steps.forEach(({ op, left, right, a, b }, s) => {
    const step = { OP: opNumber(op), LEFT: left, RIGHT: right, A: a, B: b };
    const last = steps.length - 1 - s;
    constants[`LAST_${last}`] = X_END + s;
    for (const [name, number] of Object.entries(step)) {
      constants[`${name}_${X_END + s}`] = number;
      constants[`LAST_${name}_${last}`] = number;
    }
  });
  const bindings: Binding[] = [params({ n }), ...X.map(read), ...dY.map(read), ...results.map(write)];
  gpu.dispatch({
    kernel: { name: "elementwise/chain", source, includes, constants },
    bindings,
    workgroups: flatGrid(Math.ceil(n / (4 * WORKGROUP * PER_LANE))),
  });
}
