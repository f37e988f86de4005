/**
 * Writes traced steps in the Trace Event Format, which chrome://tracing and https://ui.perfetto.dev open.
 *
 * @module
 */
import { spanOf, submissionsOf, type TracedStep } from "./trace.ts";

/** A span of time on a track, in microseconds. */
export interface TraceEvent {
  readonly name: string;
  /** `X` is a complete event, `M` the name of a process or track. */
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** The contents of a trace file. */
export interface ChromeTrace {
  readonly displayTimeUnit: "ms";
  readonly otherData: Readonly<Record<string, string>>;
  readonly traceEvents: readonly TraceEvent[];
}

const HOST = 1;
const GPU = 2;

/**
 * Makes a trace with two tracks. One has the host's phases inside each step: prepare, encode, wait for the GPU, use results. The
 * other has the GPU's dispatches inside each submission. The GPU's clock is shifted such that no submission ends after the wait
 * for it.
 */
export function chromeTrace(
  steps: readonly TracedStep[],
  otherData: Readonly<Record<string, string>> = {},
): ChromeTrace {
  const originMs = Math.min(...steps.map(({ startMs }) => startMs));
  const microseconds = (ms: number) => (ms - originMs) * 1e3;
  const traceEvents: TraceEvent[] = [
    { name: "process_name", ph: "M", pid: 1, tid: HOST, ts: 0, args: { name: "training" } },
    { name: "thread_name", ph: "M", pid: 1, tid: HOST, ts: 0, args: { name: "host" } },
    { name: "thread_name", ph: "M", pid: 1, tid: GPU, ts: 0, args: { name: "GPU" } },
  ];
  const add = (name: string, tid: number, startMs: number, endMs: number, args?: TraceEvent["args"]) => {
    if (endMs < startMs) return;
    const [ts, end] = [microseconds(startMs), microseconds(endMs)];
    traceEvents.push({ name, ph: "X", pid: 1, tid, ts, dur: end - ts, ...args && { args } });
  };
  for (const step of steps) {
    add(step.name, HOST, step.startMs, step.endMs);
    let atMs = step.startMs;
    const gpuOriginMs = gpuClockOrigin(step);
    for (const submission of submissionsOf(step)) {
      const { rows, wait } = submission;
      add("prepare", HOST, atMs, rows[0].recordedMs);
      add("encode", HOST, rows[0].recordedMs, wait.startMs);
      add("wait for the GPU", HOST, wait.startMs, wait.endMs);
      atMs = wait.endMs;
      const span = spanOf(submission);
      const onHost = (ns: number) => gpuOriginMs + ns / 1e6;
      add("submission", GPU, onHost(span.startNs), onHost(span.endNs), { step: step.name });
      for (const { kernel, startNs, elapsedNs, bound } of rows) {
        const words = bound.map(({ kind, words }) => `${kind} ${words}`);
        add(kernel, GPU, onHost(startNs), onHost(startNs + elapsedNs), { words });
      }
    }
    add("use results", HOST, atMs, step.endMs);
  }
  return { displayTimeUnit: "ms", otherData, traceEvents };
}

/** The time on the host's clock, in milliseconds, at which the GPU's clock was 0. */
function gpuClockOrigin(step: TracedStep): number {
  if (!step.hasTimestamps) return step.rows[0]?.recordedMs ?? step.startMs;
  const latest = submissionsOf(step).map((each) => each.wait.endMs - spanOf(each).endNs / 1e6);
  return Math.min(...latest, Infinity);
}
