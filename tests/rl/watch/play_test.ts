/** Playing in the page: an episode side by side, a picture, and what is refused. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { findEnvironment } from "../../../envs/mod.ts";
import { openGpu } from "../../../kernels/gpu/mod.ts";
import { encodePicture } from "../../../rl/image.ts";
import { Play } from "../../../rl/watch/play.ts";
import { findRuns } from "../../../rl/watch/runs.ts";
import { base64 } from "../../../rl/watch/scenes.ts";
import { makeSite } from "../../../rl/watch/site.ts";
import type { PlayBegun, PlayStepped, PlayThought } from "../../../rl/watch/wire.ts";
import { gpuTest } from "../../gpu.ts";
import { TempFolder, untrainedRun } from "../tiny_run.ts";

gpuTest("a person and a policy play the same episode, and the policy looks at a picture", async () => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const runs = () => findRuns([temp.path]);
  await using play = new Play({ runs, openGpu });
  const site = makeSite({ page: {}, runs, play: (request, path) => play.answer(request, path) });
  const post = (what: string, body: object, headers: Record<string, string> = { "x-ponder": "1" }) => {
    const text = JSON.stringify(body);
    return site(
      new Request(`http://127.0.0.1/play/${what}`, {
        method: "POST",
        body: text,
        headers: { ...headers, "content-length": String(text.length) },
      }),
    );
  };
  const ask = async <T>(what: string, body: object) => {
    const response = await post(what, body);
    assertEquals(response.status, 200, await response.clone().text());
    assertStringIncludes(response.headers.get("content-security-policy")!, "default-src 'none'");
    return await response.json() as T;
  };
  const { session, actions, frame } = await ask<PlayBegun>("begin", { run: "run", seed: 4 });
  const env = findEnvironment("NumberLine").make();
  env.reset({ seed: 2_000_000_004 });
  assertEquals([actions, frame], [env.actions, base64(encodePicture(env.current().observation))]);
  const best = env.actions[env.solve!()];
  const you = await ask<PlayStepped>("step", { session, side: "you", action: best });
  assertEquals([you.action, you.best], [best, best]);
  const thought = await ask<PlayThought>("think", { session, greedy: false });
  assertEquals(thought.probabilities.length, thought.ends.length);
  assert(thought.alternatives!.every((each) => each.length > 0));
  assertEquals(
    (await ask<PlayThought>("think", { session, greedy: false })).text,
    thought.text,
    "it is seeded",
  );
  const model = await ask<PlayStepped>("step", { session, side: "model", action: thought.action });
  assert(actions.includes(model.action));
  const seen = await ask<PlayThought>("picture", { run: "run", png: frame });
  assert(seen.ends.length > 0);

  const refusals: [string, object, string][] = [
    ["begin", { run: "none", seed: 0 }, "there is no such run"],
    ["begin", { run: "run", seed: -1 }, "whole number"],
    ["think", { session: "x" }, "begin another"],
    ["step", { session, side: "her", action: best }, "neither you nor the model"],
    ["step", { session, side: "you", action: "jump" }, "action"],
    ["picture", { run: "run", png: btoa("no picture") }, "it is no PNG file"],
    ["picture", { run: "run" }, "no picture was sent"],
  ];
  for (const [what, body, message] of refusals) {
    const response = await post(what, body);
    assertEquals(response.status, 400);
    assertStringIncludes(await response.text(), message);
  }
  assertEquals((await post("begin", { run: "run", seed: 0 }, {})).status, 403);
  assertEquals((await post("constructor", {})).status, 404);
});
