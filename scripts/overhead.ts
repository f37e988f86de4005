/**
 * `scale --overhead`: what the engine costs a whole iteration. Runs with one worker on this machine and runs alone take turns; the
 * seconds of RL come from their summaries.
 *
 * @module
 */
import { taskArguments } from "../rl/cli/mod.ts";
import { NatsServer, netArguments, WorkerProcess } from "../tests/nats_server.ts";

/** What is compared. */
export interface OverheadSettings {
  readonly preset: string;
  /** Runs of each kind. */
  readonly turns: number;
  /** RL iterations of a run. */
  readonly iterations: number;
}

/** Seconds of an iteration, with one worker and alone: the least of each kind, which other programs disturbed least. */
export async function measureOverhead(
  { preset, turns, iterations }: OverheadSettings,
): Promise<{ withWorker: number; alone: number }> {
  const folder = await Deno.makeTempDir({ prefix: "ponder_overhead_" });
  await using server = await NatsServer.start();
  const flags =
    `--preset ${preset} --sft-steps 1 --demonstrations 32 --perception-gate 0 --eval-episodes 1 --record 0 ` +
    `--env-steps ${iterations * 256} --kl-stop 1000 --overwrite`;
  const seconds = async (args: readonly string[], out: string): Promise<number> => {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, ...flags.split(" "), "--out", out],
      env: { NO_COLOR: "1", INIT_CWD: "", PONDER_CWD: "", PONDER_TUNING: "off" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`Cannot measure: ${new TextDecoder().decode(stderr)}`);
    return JSON.parse(await Deno.readTextFile(`${out}/summary.json`)).wall_seconds.rl / iterations;
  };
  try {
    const times = { withWorker: Infinity, alone: Infinity };
    for (let turn = 0; turn < turns; turn++) {
      const alone = await seconds(taskArguments("train"), `${folder}/alone`);
      // It is ready before the warm start has ended.
      await using _worker = new WorkerProcess(server, "one");
      const workers = ["--workers", server.url, "--workers-name", `turn-${turn}`];
      const withWorker = await seconds(
        [...netArguments("train", server.host), ...workers],
        `${folder}/shared`,
      );
      times.alone = Math.min(times.alone, alone);
      times.withWorker = Math.min(times.withWorker, withWorker);
      console.error(
        `${turn + 1} of ${turns}: alone ${alone.toFixed(3)} s, with a worker ${withWorker.toFixed(3)} s`,
      );
    }
    return times;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
