/**
 * `worker`: acts for runs that train on other machines.
 *
 * @module
 */
import { openTunedGpu } from "../bench/tuning.ts";
import { findEnvironment } from "../envs/mod.ts";
import { type Command, defineOptions, runCommand, UsageError } from "../rl/cli/mod.ts";
import { modelPlace } from "../rl/pretrained/run_base.ts";
import { connectTo, programName, work } from "../rl/remote/mod.ts";
import { natsOptions } from "../rl/run_options.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { stoppable } from "../rl/run/stop.ts";

const options = defineOptions({
  nats: {
    type: "string",
    meaning: "address of the NATS server that the learner uses: nats://host:4222, or several with commas",
  },
  run: { type: "string", meaning: "name of the run to act for; any that is there when absent" },
  name: { type: "string", meaning: "name of this worker in messages; host and process when absent" },
  once: { type: "boolean", default: false, meaning: "end when that run ends, for job schedulers" },
  env: { type: "string", meaning: "file with your own environment, if the run trains on one" },
  model: {
    type: "string",
    meaning:
      "folder of the pretrained model, if the run trains one; models/NAME when absent, as on the learner",
  },
  ...natsOptions,
});

/** The `worker` command. */
export const workerCommand: Command<typeof options> = {
  command: "./ponder worker",
  summary: "Act for runs that train elsewhere: take jobs from a NATS server, and send responses back.",
  examples: [
    "./ponder worker --nats nats://learner:4222",
    "./ponder worker --nats tls://learner:4222 --nats-creds worker.creds --once",
    "./ponder worker --nats nats://learner:4222 --run Household-s0",
    "./ponder worker --nats nats://learner:4222 --model models/SmolVLM-256M-Instruct",
  ],
  options,
  async run({ values }) {
    if (values.nats === undefined) {
      throw new UsageError("Cannot work without a server: give --nats nats://host:4222");
    }
    const note = (text: string) => console.error(text);
    const own = values.env === undefined ? null : await loadEnvironment(values.env);
    await using exchange = await connectTo(values.nats, { ...values, flag: "--nats", note });
    const jobs = await stoppable(
      () => note("Stopping after this turn; what is left goes to another worker"),
      async (isStopped) =>
        await work({
          ...{ exchange, run: values.run, once: values.once, note, isStopped },
          name: values.name ?? `${Deno.hostname()}-${Deno.pid}`,
          program: await programName(),
          openGpu: () => openTunedGpu({ note }),
          // Loaded only if there is something to check, since it brings all references and cases.
          knownVariants: async () => (await import("../bench/cases.ts")).knownVariants(),
          modelOf: (name) => values.model === undefined ? `models/${name}` : modelPlace(values.model),
          environmentOf: ({ environment, isOwn }) => {
            // What comes over the wire names no file.
            if (!isOwn) return Promise.resolve(findEnvironment(environment));
            if (own?.name === environment) return Promise.resolve(own);
            throw new UsageError(
              `Cannot act in ${environment}: the run trains on an environment of its own, give its file with --env`,
            );
          },
        }),
    );
    note(`Did ${jobs} jobs in all`);
    return 0;
  },
};

if (import.meta.main) Deno.exit(await runCommand(workerCommand, Deno.args));
