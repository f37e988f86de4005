/**
 * A run whose network is cut between its two first iterations, in a network namespace of its own:
 *
 *     unshare -rn deno run -A tests/rl/remote/network_cut.ts [SECONDS]
 *
 * Server, learner and a worker reach each other over the loopback device, which goes down for SECONDS. Prints what came of it as JSON.
 */
import { findEnvironment } from "../../../envs/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { NatsServer, WorkerProcess } from "../../nats.ts";
import { metricsOf, TempFolder, trainHere } from "../tiny_run.ts";
import { SHORT, trainAt } from "./run_at.ts";

/** What came of the run. */
export interface CutOutcome {
  readonly isSame: boolean;
  readonly notes: readonly string[];
  /** Seconds from the network's return to the next iteration. */
  readonly recoverySeconds: number;
}

async function loopback(state: "up" | "down"): Promise<void> {
  const { success } = await new Deno.Command("ip", { args: ["link", "set", "lo", state] }).output();
  if (!success) throw new Error(`Cannot set the loopback device ${state}: is this a namespace of its own?`);
}

async function run(seconds: number): Promise<CutOutcome> {
  await loopback("up");
  using temp = new TempFolder();
  await using server = await NatsServer.start();
  await using _worker = new WorkerProcess(server, "one");
  const settings = { ...SHORT, envSteps: 32 };
  const [alone, shared] = [`${temp.path}/alone`, `${temp.path}/shared`];
  await trainHere(alone, resolveConfig(settings, findEnvironment("NumberLine")));
  const notes: string[] = [];
  let lines = 0, returnedMs = 0, recoverySeconds = 0;
  const cut = async () => {
    await loopback("down");
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    await loopback("up");
    returnedMs = performance.now();
  };
  let over: Promise<void> = Promise.resolve();
  await trainAt(server, shared, settings, {
    onNote: (text) => notes.push(text),
    onLine: (stage) => {
      if (stage !== "rl") return;
      lines++;
      if (lines === 1) over = cut();
      if (lines === 2) recoverySeconds = (performance.now() - returnedMs) / 1000;
    },
  });
  await over;
  return { isSame: metricsOf(shared) === metricsOf(alone), notes, recoverySeconds };
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(Number(Deno.args[0] ?? 3))));
  Deno.exit(0);
}
