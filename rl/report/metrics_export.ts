/**
 * Metrics of a run in the forms that other programs read: CSV, and event files as TensorBoard has them.
 *
 * Steps are environment steps for RL, updates for the warm start, as in `metrics.jsonl`. Names have the stage in front:
 * `rl/success`, `sft/sftLoss`, `evaluation_rl/sampled/success`.
 *
 * @module
 */

/** A number at a step. */
export interface Scalar {
  readonly name: string;
  readonly step: number;
  readonly value: number;
}

/** All numbers of a run's lines, in their order; objects in a line by path. */
export function scalarsOf(lines: readonly Readonly<Record<string, unknown>>[]): Scalar[] {
  let envSteps = 0;
  return lines.flatMap((line) => {
    const { stage, update, iteration: _, envSteps: steps, after, ...rest } = line;
    if (typeof steps === "number") envSteps = steps;
    const step = typeof update === "number" ? update : envSteps;
    // What no run writes is left out: a negative step has no place in an event file.
    if (!Number.isSafeInteger(step) || step < 0) return [];
    const prefix = stage === "evaluation" ? `evaluation_${String(after)}` : String(stage);
    return numbersIn(rest).map(([path, value]) => ({ name: `${prefix}/${path}`, step, value }));
  });
}

/** Objects within objects that are looked into; runs write two. */
const MOST_DEPTH = 8;

function numbersIn(object: object, prefix = "", depth = MOST_DEPTH): [path: string, value: number][] {
  if (depth === 0) return [];
  return Object.entries(object).flatMap(([name, value]): [string, number][] => {
    if (typeof value === "number") return Number.isFinite(value) ? [[prefix + name, value]] : [];
    if (Array.isArray(value)) {
      return value.every((each) => typeof each === "number")
        ? numbersIn({ ...value }, `${prefix}${name}/`, depth - 1)
        : [];
    }
    return typeof value === "object" && value !== null
      ? numbersIn(value, `${prefix}${name}/`, depth - 1)
      : [];
  });
}

/**
 * A table: a row for each stage and step, a column for each metric, and `step` first, as `trackio.import_csv` and
 * spreadsheets take it.
 *
 * @throws {RangeError} when it would have more columns than any run has metrics.
 */
export function metricsCsv(scalars: readonly Scalar[]): string {
  const names = [...new Set(scalars.map(({ name }) => name))];
  if (names.length > MOST_COLUMNS) {
    throw new RangeError(
      `Cannot write a table: it would have ${names.length} columns, at most ${MOST_COLUMNS}, use --metrics jsonl`,
    );
  }
  const rows = new Map<string, { step: number; values: Map<string, number> }>();
  for (const { name, step, value } of scalars) {
    const key = `${name.split("/")[0]} ${step}`;
    let row = rows.get(key);
    if (row === undefined) rows.set(key, row = { step, values: new Map() });
    row.values.set(name, value);
  }
  const lines = [...rows.values()].map(({ step, values }) =>
    [step, ...names.map((name) => values.get(name) ?? "")].join(",")
  );
  return [["step", ...names.map(quoted)].join(","), ...lines].join("\n") + "\n";
}

/**
 * Objects with `_step`, a line each, one for each step: for `wandb.log(row, step=…)`, which drops what is of an earlier step
 * than what came before. Steps rise from line to line therefore; stages that share a step share a line.
 */
export function metricsJsonl(scalars: readonly Scalar[]): string {
  const rows = new Map<number, Record<string, number>>();
  for (const { name, step, value } of scalars) {
    const row = rows.get(step) ?? { _step: step };
    rows.set(step, row);
    row[name] = value;
  }
  return [...rows.values()].sort((a, b) => a._step - b._step).map((row) => JSON.stringify(row) + "\n").join(
    "",
  );
}

/** More than any run has: a table has a cell for each name and step. */
const MOST_COLUMNS = 1000;

/** A name as a cell. A spreadsheet would take one that begins so for a formula. */
function quoted(name: string): string {
  const plain = /^[=+\-@\t\r]/.test(name) ? `'${name}` : name;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/**
 * An event file of TensorBoard: records of `Event` messages, each `{wall_time, step, summary: {tag, simple_value}}`.
 *
 * Sources: tensorflow/core/util/event.proto and summary.proto for the fields, tensorflow/core/lib/io/record_writer.h for
 * the records: length, masked CRC-32C of the length, data, masked CRC-32C of the data.
 */
export function tensorboardEvents(
  scalars: readonly Scalar[],
  wallTimeSeconds: number,
): Uint8Array<ArrayBuffer> {
  const events = [
    message([double(1, wallTimeSeconds), bytes(3, new TextEncoder().encode("brain.Event:2"))]),
    ...scalars.map(({ name, step, value }) => {
      const told = message([bytes(1, new TextEncoder().encode(name)), float(2, value)]);
      return message([double(1, wallTimeSeconds), varintField(2, step), bytes(5, message([bytes(1, told)]))]);
    }),
  ];
  return message(events.map(record));
}

function record(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(data.length), true);
  return message([length, maskedCrc(length), data, maskedCrc(data)]);
}

function maskedCrc(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const crc = crc32c(data);
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  const word = new Uint8Array(4);
  new DataView(word.buffer).setUint32(0, masked, true);
  return word;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C (Castagnoli), as RFC 3720 has it. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Fields of a protocol buffer, one after the other. */
function message(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (let rest = value;; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) | 128);
  }
}

const varintField = (field: number, value: number): Uint8Array =>
  Uint8Array.from([field << 3, ...varint(value)]);

const bytes = (field: number, data: Uint8Array): Uint8Array =>
  message([Uint8Array.from([field << 3 | 2, ...varint(data.length)]), data]);

function double(field: number, value: number): Uint8Array {
  const out = new Uint8Array(9);
  out[0] = field << 3 | 1;
  new DataView(out.buffer).setFloat64(1, value, true);
  return out;
}

function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(5);
  out[0] = field << 3 | 5;
  new DataView(out.buffer).setFloat32(1, value, true);
  return out;
}
