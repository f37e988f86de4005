/**
 * Fuzzing as a habit: properties over hostile input, quick in the suite and long with `./ponder fuzz`.
 *
 * Each case must return, or throw one of the documented error classes with a sentence that begins with "Cannot". With
 * `--runs` given, a case must also take no more than a second, and all together no more than 500 MB; the suite does
 * not look at the clock.
 */
import { assert } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../rl/cli/mod.ts";

/** Cases a property; 0 when the suite runs. */
const LONG_RUNS = Number(
  Deno.args.findLast((arg) => arg.startsWith("--runs="))?.slice("--runs=".length) ?? 0,
);
const SUITE_RUNS = 200;
const MAX_CASE_MS = 1000;
const MAX_GROWTH_BYTES = 500e6;
const PROGRESS_EVERY = 10_000;

/** Classes that a reader of strangers' input may throw. */
const DOCUMENTED = [
  SyntaxError,
  RangeError,
  TypeError,
  UsageError,
  Deno.errors.NotFound,
  Deno.errors.InvalidData,
];

interface FuzzSettings {
  /** Cases in the suite. */
  readonly runs?: number;
  /** Cases in `./ponder fuzz`, as a share of `--runs`: less for those that write files. */
  readonly share?: number;
  /** How a refusal begins. */
  readonly refusal?: RegExp;
}

/** Registers a test that feeds `use` with values of `arbitrary`. */
export function fuzz<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  use: (value: T) => unknown,
  { runs = SUITE_RUNS, share = 1, refusal = /^Cannot / }: FuzzSettings = {},
): void {
  Deno.test(`fuzz: ${name}`, async () => {
    const numRuns = LONG_RUNS > 0 ? Math.max(1, Math.round(LONG_RUNS * share)) : runs;
    const before = Deno.memoryUsage().rss;
    let [done, refused, slowestMs] = [0, 0, 0];
    const report = () => `${name}: ${done} cases, ${refused} refused, slowest ${slowestMs.toFixed(0)} ms`;
    const timed = async (value: T) => {
      const startMs = performance.now();
      let isRefused = false;
      try {
        await use(value);
      } catch (error) {
        requireSentence(error, refusal);
        isRefused = true;
      }
      return { elapsedMs: performance.now() - startMs, isRefused };
    };
    const property = fc.asyncProperty(arbitrary, async (value) => {
      const first = await timed(value);
      let { elapsedMs } = first;
      // Other programs may have held the machine: a hang is slow every time.
      for (let again = 0; again < 3 && LONG_RUNS > 0 && elapsedMs > MAX_CASE_MS; again++) {
        elapsedMs = Math.min(elapsedMs, (await timed(value)).elapsedMs);
      }
      slowestMs = Math.max(slowestMs, elapsedMs);
      refused += Number(first.isRefused);
      done++;
      if (LONG_RUNS === 0) return;
      assert(elapsedMs <= MAX_CASE_MS, `a case took ${elapsedMs.toFixed(0)} ms`);
      if (done % PROGRESS_EVERY === 0) console.error(report());
    });
    await fc.assert(property, { numRuns });
    if (LONG_RUNS === 0) return;
    console.error(report());
    const grown = Deno.memoryUsage().rss - before;
    assert(grown <= MAX_GROWTH_BYTES, `${(grown / 1e6).toFixed(0)} MB more than before`);
  });
}

/** A documented class, a sentence of one line that a person can read to its end, no stack trace. */
function requireSentence(error: unknown, refusal: RegExp): void {
  if (!(error instanceof Error) || !DOCUMENTED.some((type) => error instanceof type)) throw error;
  // An engine's own errors are of documented classes too, but not in our words.
  assert(refusal.test(error.message), `not a sentence of ours: ${error.stack}`);
  assert(error.message.length < 1000, `message of ${error.message.length} characters`);
  // deno-lint-ignore no-control-regex -- what a terminal would obey
  assert(!/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(error.message), `control characters: ${error.message}`);
}

/** Numbers that bounds are made of. */
export const oddNumber: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 0.5, 1e9, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, NaN, Infinity, -Infinity),
  fc.integer(),
  fc.double(),
);

/** Text with what parsers stumble over. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "\0",
    "\n",
    "\ud800",
    "\u001b[31m",
    "__proto__",
    "constructor",
    "toString",
    "x".repeat(20_000),
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ maxLength: 30 }),
);

/** Any JSON value. */
export const oddJson: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, [], {}, undefined),
  oddNumber,
  oddText,
  fc.jsonValue({ maxDepth: 3 }),
);

/** A good value with up to three changes anywhere in it: replaced, removed or added. */
export function damaged(good: unknown): fc.Arbitrary<unknown> {
  const change = fc.record({
    path: fc.array(fc.nat(), { minLength: 1, maxLength: 5 }),
    value: oddJson,
    kind: fc.constantFrom("replace", "remove", "add"),
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const root = { root: structuredClone(good) as unknown };
    for (const { path, value, kind } of changes) {
      let at = root as Record<string, unknown>;
      let key = "root";
      for (const step of path) {
        const next = at[key];
        if (typeof next !== "object" || next === null || Object.keys(next).length === 0) break;
        at = next as Record<string, unknown>;
        key = Object.keys(at)[step % Object.keys(at).length];
      }
      if (kind === "remove") delete at[key];
      else if (kind === "add" && !Array.isArray(at)) at["extra"] = value;
      else at[key] = value;
    }
    return root.root;
  });
}

/** Bytes with a few changed, and sometimes cut or lengthened. */
export function damagedBytes(good: Uint8Array, within = good.length): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(Math.max(0, within - 1)), fc.nat(255)), { maxLength: 4 });
  return fc.tuple(changes, fc.nat(4), fc.nat(good.length)).map(([changes, kind, at]) => {
    const bytes = kind === 0
      ? good.slice(0, at)
      : kind === 1
      ? new Uint8Array([...good, ...good.slice(0, at)])
      : good.slice();
    for (const [place, value] of changes) if (place < bytes.length) bytes[place] = value;
    return bytes;
  });
}

/** A text with pieces of it moved, repeated, replaced or lost. */
export function damagedText(goods: readonly string[]): fc.Arbitrary<string> {
  return fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...goods), fc.nat(400), fc.nat(400)) },
      { weight: 1, arbitrary: oddText },
    ),
    { maxLength: 5 },
  ).map((parts) =>
    parts.map((part) =>
      typeof part === "string" ? part : part[0].slice(Math.min(part[1], part[0].length), part[2] + part[1])
    )
      .join("")
  );
}
