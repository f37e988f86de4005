/**
 * Whether the lines of a recorded file are of their types. Whoever wrote a recording may have signed anything.
 *
 * @module
 */

/** Tells whether a value is of a kind. */
type Check = (value: unknown) => boolean;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText: Check = (value) => typeof value === "string";
/** JSON has null for numbers that are not finite. */
const isNumber: Check = (value) => value === null || typeof value === "number";
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isWhole: Check = (value) => Number.isSafeInteger(value);
const isFlag: Check = (value) => typeof value === "boolean";
const oneOf = (...values: unknown[]): Check => (value) => values.includes(value);
const orNull = (check: Check): Check => (value) => value === null || check(value);
const optional = (check: Check): Check => (value) => value === undefined || check(value);
const either = (...checks: Check[]): Check => (value) => checks.some((check) => check(value));
const listOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check);
const tuple = (...checks: Check[]): Check => (value) =>
  Array.isArray(value) && value.length === checks.length && checks.every((check, i) => check(value[i]));
const shape = (fields: Readonly<Record<string, Check>>): Check => (value) => faultIn(value, fields) === null;

/** The first field that is not of its kind; null if none is. */
function faultIn(value: unknown, fields: Readonly<Record<string, Check>>): string | null {
  if (!isObject(value)) return "it";
  const bad = Object.entries(fields).find(([name, check]) =>
    !check(Object.hasOwn(value, name) ? value[name] : undefined)
  );
  return bad === undefined ? null : bad[0];
}

const numbers = listOf(isNumber);
const histogram = orNull(shape({ min: isNumber, max: isNumber, counts: listOf(isCount) }));

const HEADER = {
  stage: oneOf("rl", "evaluation"),
  iteration: isCount,
  after: optional(oneOf("sft", "rl")),
  actions: listOf(isText),
  lambda: isNumber,
  temperature: isNumber,
  objective: orNull(shape({ ratio: oneOf("response", "token"), clipLow: isNumber, clipHigh: isNumber })),
  turns: isCount,
  histograms: shape({
    advantage: histogram,
    valueTarget: histogram,
    episodeReturn: histogram,
    ratio: histogram,
  }),
  minibatches: listOf(shape({ kl: isNumber, clipFraction: isNumber, policyLoss: isNumber })),
  plannedUpdates: isNumber,
  klStop: isNumber,
  seconds: (value: unknown) => isObject(value) && Object.values(value).every(isNumber),
  prompts: listOf(isText),
  grid: orNull(tuple(isCount, isCount)),
};

const OUTCOME = { episodeReturn: isNumber, steps: isCount, goalReached: isFlag, success: isFlag };

const EPISODE = {
  episode: isCount,
  deal: isWhole,
  how: optional(oneOf("sampled", "greedy")),
  before: listOf(tuple(isWhole, oneOf(0, 1))),
  turns: isCount,
  outcome: orNull(shape(OUTCOME)),
};

const TURN = {
  episode: isCount,
  turn: isCount,
  state: isText,
  prompt: isCount,
  picture: orNull((value) => typeof value === "string" && /^[0-9a-f]{32}\.png$/.test(value)),
  text: isText,
  tokens: listOf(isWhole),
  starts: listOf(isCount),
  ends: listOf(isCount),
  logprobs: numbers,
  after: orNull(numbers),
  entropies: numbers,
  weights: numbers,
  advantage: either(isNumber, numbers),
  valueTarget: either(isNumber, numbers),
  weight: isNumber,
  ratio: either(isNumber, numbers),
  clipped: orNull(either(isFlag, listOf(isFlag))),
  alternatives: orNull(listOf(listOf(tuple(isWhole, isText, isNumber)))),
  attention: orNull(isText),
  imageShare: orNull(numbers),
  parsed: isFlag,
  actionSpan: tuple(isWhole, isWhole),
  action: isWhole,
  reward: isNumber,
  value: isNumber,
  terminated: isFlag,
  truncated: isFlag,
  perception: isNumber,
  faithful: orNull(isFlag),
  actionValues: optional(numbers),
  random: tuple(isWhole, isWhole),
};

const SHAPES: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  header: HEADER,
  episode: EPISODE,
  turn: TURN,
  other: TURN,
};

/** Says what is wrong with a line of a recorded file, whose first is the header; null when nothing is. */
export function lineFault(line: unknown, index: number): string | null {
  const kind = isObject(line) ? line.kind : undefined;
  const isKnown = typeof kind === "string" && Object.hasOwn(SHAPES, kind);
  if (!isKnown || (kind === "header") !== (index === 0)) {
    return `line ${index + 1} is no ${index === 0 ? "header" : "episode or turn"}`;
  }
  const field = faultIn(line, SHAPES[kind]);
  return field === null ? null : `"${field}" of line ${index + 1} is not what a run writes`;
}
