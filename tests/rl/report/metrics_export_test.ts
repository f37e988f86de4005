/** Metrics in the forms of other programs. */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  crc32c,
  metricsCsv,
  metricsJsonl,
  scalarsOf,
  tensorboardEvents,
} from "../../../rl/report/metrics_export.ts";

const lines = [
  { stage: "sft", update: 1, sftLoss: 2.5, learningRate: 0.1 },
  { stage: "rl", iteration: 1, envSteps: 256, success: null, kl: 0.125, thoughtAlarm: ["x"] },
  { stage: "rl", iteration: 2, envSteps: 512, success: 0.5, kl: 0.25, thoughtAlarm: [] },
  { stage: "evaluation", after: "rl", sampled: { success: 1, ci95: [0.9, 1] } },
];

Deno.test("every number of a run's lines has a name, and a step of its stage", () => {
  assertEquals(scalarsOf(lines).map(({ name, step, value }) => [name, step, value]), [
    ["sft/sftLoss", 1, 2.5],
    ["sft/learningRate", 1, 0.1],
    ["rl/kl", 256, 0.125],
    ["rl/success", 512, 0.5],
    ["rl/kl", 512, 0.25],
    ["evaluation_rl/sampled/success", 512, 1],
    ["evaluation_rl/sampled/ci95/0", 512, 0.9],
    ["evaluation_rl/sampled/ci95/1", 512, 1],
  ]);
});

Deno.test("a CSV table has a row for each step and stage, and nothing where there is nothing", () => {
  assertEquals(metricsCsv(scalarsOf(lines.slice(0, 3))).split("\n"), [
    "step,sft/sftLoss,sft/learningRate,rl/kl,rl/success",
    "1,2.5,0.1,,",
    "256,,,0.125,",
    "512,,,0.25,0.5",
    "",
  ]);
});

Deno.test("steps of JSON lines rise, as W&B wants them, though the warm start's are not environment steps", () => {
  const warmStart = Array.from(
    { length: 300 },
    (_, i) => ({ stage: "sft", update: i + 1, sftLoss: 1 / (i + 1) }),
  );
  const evaluation = { stage: "evaluation", after: "sft", sampled: { success: 0.5 } };
  const rows = metricsJsonl(scalarsOf([...warmStart, evaluation, ...lines])).trim().split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);
  const steps = rows.map(({ _step }) => _step);
  assertEquals(steps, [...new Set(steps)].sort((a, b) => a - b));
  assertEquals(rows[0], { _step: 0, "evaluation_sft/sampled/success": 0.5 });
  assertEquals(rows.find(({ _step }) => _step === 256), {
    _step: 256,
    "sft/sftLoss": 1 / 256,
    "rl/kl": 0.125,
  });
});

Deno.test("checksums are those of RFC 3720", () => {
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
});

/** The fields of a protocol buffer by number. */
function fieldsOf(data: Uint8Array): Map<number, number | Uint8Array> {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const fields = new Map<number, number | Uint8Array>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = data[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const key = varint();
    const field = key >> 3;
    if ((key & 7) === 0) fields.set(field, varint());
    else if ((key & 7) === 1) [fields.set(field, view.getFloat64(at, true)), at += 8];
    else if ((key & 7) === 5) [fields.set(field, view.getFloat32(at, true)), at += 4];
    else {
      const length = varint();
      fields.set(field, data.subarray(at, at += length));
    }
  }
  return fields;
}

Deno.test("an event file is records of events, each with its length and checksums", () => {
  const scalars = [...scalarsOf(lines), { name: "rl/late", step: 5_000_000_000, value: -1 }];
  const file = tensorboardEvents(scalars, 1234);
  const view = new DataView(file.buffer);
  const masked = (data: Uint8Array) => {
    const crc = crc32c(data);
    return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  };
  const events: Map<number, number | Uint8Array>[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    assertEquals(view.getUint32(at + 8, true), masked(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    assertEquals(view.getUint32(at + 12 + length, true), masked(data));
    events.push(fieldsOf(data));
    at += 16 + length;
  }
  const [version, ...told] = events;
  const text = (bytes: number | Uint8Array | undefined) => new TextDecoder().decode(bytes as Uint8Array);
  assertEquals(text(version.get(3)), "brain.Event:2");
  assertEquals(told.length, scalars.length);
  told.forEach((event, i) => {
    const value = fieldsOf(fieldsOf(event.get(5) as Uint8Array).get(1) as Uint8Array);
    assertEquals([event.get(1), event.get(2), text(value.get(1))], [1234, scalars[i].step, scalars[i].name]);
    assertAlmostEquals(value.get(2) as number, scalars[i].value, 1e-6);
  });
});

Deno.test("metrics that no run writes are left out, and never become formulas or broken records", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = { x: deep };
  const scalars = scalarsOf([
    { stage: "rl", iteration: 1, envSteps: -5, success: 1 },
    { stage: "sft", update: 1.5, loss: 1 },
    { stage: "=cmd()", update: 1, loss: 2, deep },
  ]);
  assertEquals(scalars, [{ name: "=cmd()/loss", step: 1, value: 2 }]);
  assertEquals(metricsCsv(scalars), "step,'=cmd()/loss\n1,2\n");
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`m${i}`, i]));
  assertThrows(
    () => metricsCsv(scalarsOf([{ stage: "sft", update: 1, ...many }])),
    RangeError,
    "1001 columns",
  );
});
