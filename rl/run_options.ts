/**
 * Settings of what a run trains, and of how it is kept.
 *
 * @module
 */
import { ENV_NAMES } from "../envs/mod.ts";
import { algorithms } from "./algorithms/mod.ts";
import {
  boolean,
  type BooleanSetting,
  choice,
  type ChoiceSetting,
  integer,
  list,
  type ListSetting,
  number,
  type NumberSetting,
  optionalText,
  path,
  type PathOption,
  type StringOption,
  text,
  type TextSetting,
} from "./cli/mod.ts";

/** Settings of what a run trains. */
export const runOptions = {
  env: text(
    "NumberLine",
    `environment: ${ENV_NAMES.join(", ")}, or the file of your own, such as ./maze.ts`,
  ) as TextSetting,
  algorithm: text(
    "ppo",
    `how the policy learns: ${Object.keys(algorithms).join(", ")}, or the file of your own`,
  ) as TextSetting,
  policy: choice(
    "vlm",
    ["vlm", "cnn"],
    "what learns: the vision-language model, or the paper's baseline without words",
  ) as ChoiceSetting<"vlm" | "cnn">,
  imageNormalization: choice(
    "per-image",
    ["per-image", "fixed"],
    "standardise each image's channels, or map [0, 1] to [-1, 1]",
  ) as ChoiceSetting<"per-image" | "fixed">,
  envSettings: list(
    [],
    "settings of the environment as key=value, such as target=30; `envs` lists them",
  ) as ListSetting,
  trainingSettings: list(
    [],
    "more such settings, for the warm start and RL but not for evaluation, such as solvableOnly=true",
  ) as ListSetting,
  seed: integer(0, "seed of everything random", { min: 0, max: 1000 }) as NumberSetting,
};

/** Options of every command that connects to NATS. */
export const natsOptions = {
  natsCreds: path("file with the credentials for NATS: a .creds file, or an nkey seed") as PathOption,
  natsCa: path("file with the certificate of the authority of NATS servers, for tls://") as PathOption,
  natsCert: path("file with this machine's own certificate, if NATS servers ask for one") as PathOption,
  natsKey: path("file with the key of that certificate") as PathOption,
};

/** Settings of workers that act for a run. They do not change what it computes. */
export const workerOptions = {
  workers: optionalText(
    "act through workers that are connected to this NATS server, such as nats://host:4222; see `worker`",
  ) as StringOption,
  workersName: optionalText(
    "name of the run at that server; the name of its folder when absent",
  ) as StringOption,
  jobTimeout: number(30, "without a sign of life, after which another worker gets a job", {
    min: 1,
    unit: "seconds",
  }) as NumberSetting,
  ...natsOptions,
};

/** Settings of how a run is kept and reported. They do not change what it computes. */
export const bookkeepingOptions = {
  out: path("run folder; runs/<environment>-s<seed> when absent") as PathOption,
  overwrite: boolean(false, "replace an existing run folder") as BooleanSetting,
  resume: boolean(false, "go on from the run folder's checkpoint") as BooleanSetting,
  extend: boolean(
    false,
    "train a run for longer: go on from its checkpoint to a larger --env-steps",
  ) as BooleanSetting,
  retry: boolean(
    false,
    "when the device is lost or refuses work, go on once from the last checkpoint on a new device",
  ) as BooleanSetting,
  record: integer(64, "most that the run folder keeps of what the policy saw and wrote; 0 records nothing", {
    min: 0,
    max: 100_000,
    unit: "MB",
  }) as NumberSetting,
  watch: boolean(
    false,
    "serve the page that shows this run while it trains, as `watch` does",
  ) as BooleanSetting,
  json: boolean(false, "print the summary as JSON on stdout") as BooleanSetting,
  profile: boolean(
    false,
    "first trace one step of each kind: a table by kernel, and profile.json for ui.perfetto.dev",
  ) as BooleanSetting,
};
