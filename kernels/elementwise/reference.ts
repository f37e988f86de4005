/**
 * The elementwise kernels' specification: plain functions in f64.
 *
 * @module
 */
import type { BinaryOp, Chain, UnaryOp } from "./mod.ts";

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

/** f(x) and f'(x) of every unary op. */
export const unaryReference: Record<
  UnaryOp,
  (x: number, a: number, b: number) => [value: number, derivative: number]
> = {
  exp: (x) => [Math.exp(x), Math.exp(x)],
  log: (x) => [Math.log(x), 1 / x],
  negate: (x) => [-x, -1],
  square: (x) => [x * x, 2 * x],
  gelu: (x) => {
    const t = Math.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x ** 3));
    const dt = (1 - t * t) * SQRT_2_OVER_PI * (1 + 3 * 0.044715 * x * x);
    return [0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * dt];
  },
  relu: (x) => [Math.max(x, 0), x > 0 ? 1 : 0],
  scale: (x, a) => [a * x, a],
  shift: (x, a) => [x + a, 1],
  clamp: (x, a, b) => [Math.min(Math.max(x, a), b), x >= a && x <= b ? 1 : 0],
  copy: (x) => [x, 1],
};

/** f(a, b), df/da and df/db of every binary op. */
export const binaryReference: Record<
  BinaryOp,
  (a: number, b: number) => [value: number, dA: number, dB: number]
> = {
  add: (a, b) => [a + b, 1, 1],
  subtract: (a, b) => [a - b, 1, -1],
  multiply: (a, b) => [a * b, b, a],
  minimum: (a, b) => a <= b ? [a, 1, 0] : [Math.min(a, b), 0, 1],
  maximum: (a, b) => a >= b ? [a, 1, 0] : [Math.max(a, b), 0, 1],
};

/** All values of a chain at one element, by number, and with `dResults` their gradients. */
export function chainReference(
  { inputs, steps, results }: Chain,
  x: readonly number[],
  dResults: readonly number[] = results.map(() => 0),
): { values: number[]; gradients: number[] } {
  const values = [0, ...x];
  const parts = steps.map(({ op, left, right, a, b }) => {
    const [value, dLeft, dRight] = op in binaryReference
      ? binaryReference[op as BinaryOp](values[left], values[right])
      : [...unaryReference[op as UnaryOp](values[left], a, b), 0];
    values.push(value);
    return [dLeft, dRight];
  });
  const gradients = values.map(() => 0);
  results.forEach((number, j) => gradients[number] += dResults[j]);
  for (let s = steps.length - 1; s >= 0; s--) {
    const gradient = gradients[inputs + 1 + s];
    gradients[steps[s].left] += gradient * parts[s][0];
    gradients[steps[s].right] += gradient * parts[s][1];
  }
  return { values, gradients };
}
