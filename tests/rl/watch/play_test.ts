/** Playing in the page: an episode side by side, a picture, and what is refused. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  defineEnvironment,
  type EnvironmentDefinition,
  findEnvironment,
  gridPicture,
} from "../../../envs/mod.ts";
import { openGpu } from "../../../kernels/gpu/mod.ts";
import { encodePicture } from "../../../rl/image.ts";
import { Play } from "../../../rl/watch/play.ts";
import { findRuns } from "../../../rl/watch/runs.ts";
import { base64 } from "../../../rl/watch/scenes.ts";
import { makeSite } from "../../../rl/watch/site.ts";
import type { PlayBegun, PlayStepped, PlayThought } from "../../../rl/watch/wire.ts";
import { gpuTest } from "../../gpu.ts";
import { TempFolder, untrainedRun } from "../tiny_run.ts";

const COLORS = { ".": [240, 240, 240], A: [200, 0, 0] } as const;

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

gpuTest(
  "an environment of one's own is played if it is named, and never because a run names it",
  async () => {
    using temp = new TempFolder();
    const corridor = {
      ...defineEnvironment({
        name: "Corridor",
        actions: ["left", "right"],
        reset: () => ({ place: 2 }),
        step: ({ place }, action) => ({
          state: { place: place + 2 * action - 1 },
          reward: action,
          terminated: place > 2,
        }),
        render: ({ place }) =>
          gridPicture([".....".replace(/./g, (_, i) => i === place ? "A" : ".")], COLORS),
      }),
      reference: "/somewhere/corridor.ts",
    };
    await untrainedRun(`${temp.path}/run`, {}, corridor);
    const runs = () => findRuns([temp.path]);
    const begin = (environments: readonly EnvironmentDefinition[]) => {
      const play = new Play({ runs, openGpu, environments });
      const site = makeSite({
        page: {},
        runs,
        environments,
        play: (request, path) => play.answer(request, path),
      });
      const ask = (what: string, body: object) => {
        const text = JSON.stringify(body);
        const headers = { "x-ponder": "1", "content-length": String(text.length) };
        return site(new Request(`http://127.0.0.1/play/${what}`, { method: "POST", body: text, headers }));
      };
      return { ask, site, [Symbol.asyncDispose]: () => play[Symbol.asyncDispose]() };
    };
    {
      await using unnamed = begin([]);
      const response = await unnamed.ask("begin", { run: "run", seed: 0 });
      assertEquals(response.status, 400);
      assertStringIncludes(await response.text(), "./ponder watch --env /somewhere/corridor.ts");
      const told = await (await unnamed.site(new Request("http://127.0.0.1/api/run/run"))).json();
      assertEquals(told.canDraw, false);
    }
    // The file may have moved.
    await using named = begin([{ ...corridor, reference: "/elsewhere/corridor.ts" }]);
    const told = await (await named.site(new Request("http://127.0.0.1/api/run/run"))).json();
    assertEquals([told.canDraw, told.baselines], [true, []]);
    const { session, actions } = await (await named.ask("begin", { run: "run", seed: 0 }))
      .json() as PlayBegun;
    assertEquals(actions, ["left", "right"]);
    const thought = await (await named.ask("think", { session, greedy: true })).json() as PlayThought;
    assert(thought.ends.length > 0);
    const stepped = await (await named.ask("step", { session, side: "you", action: "right" })).json();
    assertEquals([stepped.reward, stepped.best], [1, null]);
  },
);
