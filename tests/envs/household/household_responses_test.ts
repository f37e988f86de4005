import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Household, type HouseholdInfo } from "../../../envs/household/household.ts";
import { makeEnv } from "../../../envs/mod.ts";
import type { TaskKind } from "../../../envs/household/rooms.ts";
import { Random } from "../../../envs/shared/random.ts";
import type { Bias } from "../../../envs/types.ts";
import { greedyPieces } from "../greedy_pieces.ts";

const PERFECT = { misread: 0, haste: 0, plan: 0, action: 0 };

/** The states of the scripted agent's episodes, by its default bias. */
function* states(env: Household, seeds: number): Generator<HouseholdInfo> {
  const random = new Random(0, "states");
  for (let seed = 0; seed < seeds; seed++) {
    let { info } = env.reset({ seed, options: { split: seed % 2 === 0 ? "seen" : "unseen" } });
    for (;;) {
      yield info;
      const result = env.step(env.parse(env.demonstrate(random, { cot: true })).action!);
      if (result.terminated || result.truncated) break;
      info = result.info;
    }
  }
}

/** An episode brought to where the mug of a heating task is in sight. */
function envAtMug(): { env: Household; place: string; mug: string } {
  const env = new Household();
  let { info } = env.reset({
    seed: 2,
    options: { kind: "pick_heat_then_place_in_recep", object: "mug", target: "shelf" },
  });
  while (!info.admissible.some((text) => text.startsWith("take mug"))) info = env.step(env.solve()).info;
  return {
    env,
    place: info.location!,
    mug: info.admissible.find((text) => text.startsWith("take mug"))!.slice(5, 10),
  };
}

Deno.test("a demonstration without mistakes is the documented JSON", () => {
  const { env, place, mug } = envAtMug();
  const random = new Random(0);
  const write = (cot: boolean) => env.demonstrate(random, { cot, bias: PERFECT });
  const action = `take ${mug} from ${place}`;
  assertEquals(
    write(true),
    `{"thoughts": "I am at ${place} and see ${mug}. I hold nothing. I take it", "action": "${action}"}`,
  );
  assertEquals(write(false), `{"action": "${action}"}`);
  env.step(env.solve());
  env.step(env.solve());
  env.step(env.solve());
  const hot = JSON.parse(write(true));
  assert(hot.thoughts.endsWith(`I hold hot ${mug}. I put it in shelf`), hot.thoughts);
});

/** Goals that the scripted agent reaches in 200 episodes. */
function goalsReached(env: Household, bias: Bias, kind?: TaskKind): number {
  const random = new Random(1);
  let reached = 0;
  for (let seed = 0; seed < 200; seed++) {
    env.reset({ seed, options: { kind } });
    for (;;) {
      const { info, terminated, truncated } = env.step(
        env.parse(env.demonstrate(random, { cot: true, bias })).action!,
      );
      if (!terminated && !truncated) continue;
      reached += Number(info.goalReached);
      break;
    }
  }
  return reached;
}

Deno.test("the scripted agent with its default mistakes reaches most goals, and nearly all when not in haste", () => {
  const env = new Household();
  const hasty = goalsReached(env, {}), calm = goalsReached(env, { haste: 0 });
  assert(hasty > 150 && hasty < 190, `${hasty} of 200`);
  assert(calm > 190, `${calm} of 200`);
});

Deno.test("haste opens no door in a search and treats nothing", () => {
  const env = new Household();
  const hasty = { ...PERFECT, haste: 1 };
  assertEquals(goalsReached(env, hasty, "pick_heat_then_place_in_recep"), 0);
  const placed = goalsReached(env, hasty, "pick_and_place_simple");
  assert(placed > 100 && placed < 190, `${placed} of 200: what lies behind doors is not found`);
  const { info } = env.reset({
    seed: 2,
    options: { kind: "pick_heat_then_place_in_recep", room: "kitchen 1", object: "mug" },
  });
  assert(info.admissible.includes("go to cabinet 1"));
  env.step(env.actions.indexOf("go to cabinet 1"));
  const response = env.demonstrate(new Random(0), { cot: true, bias: hasty });
  assert(response.includes("at cabinet 1 which is closed. I hold nothing. I look for mug"), response);
  assert(response.endsWith('"action": "go to cabinet 2"}'), response);
});

Deno.test("demonstrations with every kind of mistake parse, as JSON and to what they say", () => {
  const env = new Household();
  const random = new Random(2);
  const bias = { misread: 0.4, haste: 0.5, plan: 0.4, action: 0.2 };
  for (const _ of states(env, 60)) {
    for (const cot of [true, false]) {
      const response = env.demonstrate(random, { cot, bias });
      const fields = JSON.parse(response);
      assertEquals(Object.keys(fields), cot ? ["thoughts", "action"] : ["action"]);
      const { action, start, end } = env.parse(response);
      assertEquals(env.actions[action!], fields.action);
      assertEquals(response.slice(start, end), fields.action);
    }
  }
});

Deno.test("each kind of mistake shows where it is made, at the rate that the bias says", () => {
  const env = new Household();
  const random = new Random(3);
  const rate = (bias: Record<string, number>, isMistake: (response: string) => boolean) => {
    let mistakes = 0, responses = 0;
    for (const _ of states(env, 80)) {
      mistakes += Number(isMistake(env.demonstrate(random, { cot: true, bias: { ...PERFECT, ...bias } })));
      responses++;
    }
    return { rate: mistakes / responses, error: 4 * Math.sqrt(0.25 / responses) };
  };
  const misreads = (response: string) => env.judge(response).perception! < 1;
  const isUnfaithful = (response: string) => !env.judge(response).faithful;
  const plan = rate({ plan: 0.3 }, isUnfaithful);
  assertAlmostEquals(plan.rate, 0.3, plan.error);
  assertEquals(rate({ plan: 1 }, isUnfaithful).rate, 1);
  assertEquals(rate({ plan: 0.5, action: 0.5 }, misreads).rate, 0);
  // Three fields in most states: 1 - 0.8^3; fewer can be misread in the middle of the room.
  const read = rate({ misread: 0.2 }, misreads);
  assert(read.rate > 0.36 && read.rate < 0.52, `${read.rate}`);
  assertEquals(rate({ misread: 0.5 }, isUnfaithful).rate, 0, "what follows goes by the misreading");
  const act = rate({ action: 1 }, isUnfaithful);
  assert(
    act.rate > 0.4 && act.rate < 1,
    `${act.rate}: a random action is sometimes what was planned, in a search`,
  );
});

Deno.test("illegal biases are named", () => {
  const env = new Household();
  env.reset({ seed: 0 });
  const demonstrate = (bias: Record<string, number>) => env.demonstrate(new Random(0), { cot: true, bias });
  assertThrows(() => demonstrate({ misred: 0.1 }), RangeError, 'unknown bias "misred", use misread');
  assertThrows(() => demonstrate({ plan: 1.1 }), RangeError, "bias plan is 1.1");
});

Deno.test("judging tells misreading from unfaithful planning", () => {
  const { env, place, mug } = envAtMug();
  const other = mug === "mug 1" ? "mug 2" : "mug 1";
  const judge = (sight: string, held: string, plan: string, action: string) => {
    const thoughts = `I am at ${sight}. I hold ${held}. I ${plan}`;
    return env.judge(`{"thoughts": "${thoughts}", "action": "${action}"}`);
  };
  const take = `take ${mug} from ${place}`;
  const seen = `${place} and see ${mug}`;
  assertEquals(judge(seen, "nothing", "take it", take), { perception: 1, faithful: true });
  assertEquals(judge(seen, "nothing", "take it", `go to fridge 1`), { perception: 1, faithful: false });
  assertEquals(judge(seen, "nothing", "look for mug", "go to fridge 1"), { perception: 1, faithful: false });
  assertEquals(judge(`${place} and see no mug`, "nothing", "look for mug", "go to fridge 1"), {
    perception: 2 / 3,
    faithful: true,
  }, "any way to search is one");
  assertEquals(judge(`${place} and see no mug`, "nothing", "look for mug", "inventory").faithful, false);
  assertEquals(judge(seen, other, "heat it", "go to microwave 1"), { perception: 2 / 3, faithful: true });
  assertEquals(judge(seen, `hot ${other}`, "heat it", "go to microwave 1").faithful, false);
  assertEquals(judge(seen, `hot ${other}`, "put it in shelf", "go to shelf 1").faithful, true);
  assertEquals(judge("fridge 1 which is closed", "nothing", "look for mug", "open fridge 1"), {
    perception: 1 / 3,
    faithful: true,
  });
  assertEquals(judge("desk 7 and see mug 1", "nothing", "take it", take).faithful, false);
  assertEquals(env.judge(`{"action": "${take}"}`), { perception: null, faithful: null });
  assertEquals(env.judge('{"thoughts": "'), { perception: 0, faithful: false });
});

Deno.test("a thing that the task does not look for, seen by the wrong hand, is judged and not faithful", () => {
  const env = new Household();
  const { info } = env.reset({ seed: 0, options: { kind: "look_at_obj_in_light", object: "mug" } });
  assert(info.task.includes("desklamp"));
  const judge = (thing: string, held: string, plan: string, action: string) =>
    env.judge(
      `{"thoughts": "I am at desk 1 and see ${thing}. I hold ${held}. I ${plan}", "action": "${action}"}`,
    ).faithful;
  assertEquals(judge("desklamp 1", "mug 1", "use the desklamp", "use desklamp 1"), true);
  assertEquals(judge("desklamp 1", "nothing", "take it", "use desklamp 1"), false);
  assertEquals(judge("book 1", "nothing", "take it", "take book 1 from desk 1"), false);
  assertEquals(judge("mug 2", "nothing", "take it", "take mug 2 from desk 1"), true);
});

Deno.test("any text can be judged", () => {
  const { env } = envAtMug();
  const fragment = fc.oneof(
    fc.constantFrom('{"thoughts": "', "I am at ", "I am in the middle of the room", "cabinet 1", " and see "),
    fc.constantFrom(". I hold nothing. I take it", "I am at cabinet 1 and see ", "desklamp 1", "book 1"),
    fc.constantFrom(
      " which is closed",
      ". I hold ",
      "nothing",
      "hot mug 1",
      ". I take it",
      '", "action": "',
      "look",
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 10 }), (fragments) => {
      const { perception, faithful } = env.judge(fragments.join(""));
      return (perception === null) === (faithful === null) && (perception === null || perception <= 1);
    }),
    { numRuns: 1000, seed: 5 },
  );
});

Deno.test("the tokens cover prompts by at most 56 pieces, image-only ones by 10, and responses by 18", () => {
  const random = new Random(4);
  const env = new Household();
  const imageOnly = makeEnv("Household", { mode: "image-only" });
  const count = (text: string) => {
    const pieces = greedyPieces(text, env.tokens);
    assertEquals(pieces.join(""), text);
    return pieces.length;
  };
  assertEquals(new Set(env.tokens).size, env.tokens.length);
  assert(env.tokens.length < 300, `${env.tokens.length} tokens`);
  for (const info of states(env, 60)) {
    for (const cot of [true, false]) {
      assert(count(env.prompt(info, { cot })) <= 56);
      assert(count(imageOnly.prompt(info, { cot })) <= 10);
      const bias = { misread: 0.2, plan: 0.2, action: 0.2 };
      assert(count(env.demonstrate(random, { cot, bias })) <= 18);
    }
  }
});
