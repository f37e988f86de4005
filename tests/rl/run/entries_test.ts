/** A run's own files are not written over by what a user exports. */
import { assertRejects } from "@std/assert";
import { requireNotOfRun } from "../../../rl/run/entries.ts";
import { finishedRun, inScratch } from "./scratch_run.ts";

Deno.test("a place inside a run's own files is refused, any other is free", async () => {
  await inScratch(async (path) => {
    await finishedRun(path);
    const own = [
      "metrics.jsonl",
      "config.json",
      "summary.json",
      "run.lock",
      "replays.json",
      "recording/x.csv",
    ];
    for (
      const name of [
        ...own,
        "checkpoint/trainer.json",
        "checkpoint/new",
        "checkpoint.previous",
        "x/../config.json",
      ]
    ) {
      await assertRejects(
        () => requireNotOfRun(`${path}/${name}`),
        Deno.errors.AlreadyExists,
        "it belongs to the run in",
      );
    }
    for (const name of ["metrics.csv", "pages/index.html", "../metrics.jsonl", "../y/config.json"]) {
      await requireNotOfRun(`${path}/${name}`);
    }
    // A checkpoint that was copied out of its run.
    await Deno.rename(`${path}/checkpoint`, `${path}-weights`);
    await assertRejects(
      () => requireNotOfRun(`${path}-weights/model.safetensors`),
      Deno.errors.AlreadyExists,
    );
    await requireNotOfRun(`${path}-weights/notes.txt`);
  });
});
