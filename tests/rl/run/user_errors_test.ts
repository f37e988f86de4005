/** Errors of a user's own environment: which function of which file failed, and in which line. */
import { assertEquals, assertRejects } from "@std/assert";
import { failureMessage, UsageError } from "../../../rl/cli/mod.ts";
import { loadEnvironment } from "../../../rl/run/load_environment.ts";
import { TempFolder } from "../tiny_run.ts";

const ENVS = new URL("../../../envs/mod.ts", import.meta.url).href;

/** An environment in which the parts that are given differ from ones that work. Its rules are in a line each. */
const source = (parts: Record<string, string>, before = "") => {
  const rules = {
    reset: "() => ({ place: 0 })",
    step: "() => ({ state: { place: 1 }, reward: 1 })",
    render: '() => gridPicture(["A"], { A: [0, 0, 0] })',
    solve: "() => 1",
    ...parts,
  };
  const lines = Object.entries(rules).map(([name, rule]) => `${name}: ${rule},`).join("\n");
  return `import { defineEnvironment, gridPicture } from "${ENVS}";${before}
export default defineEnvironment({ name: "Faulty", actions: ["a", "b"],
${lines}
});`;
};

/** Writes an environment and loads it. Gives the path of its file, too. */
async function load(folder: TempFolder, text: string, name = "faulty.ts") {
  const path = `${folder.path}/${name}`;
  await Deno.writeTextFile(path, text);
  return { path, load: () => loadEnvironment(path) };
}

/** What the command line says of the error of `work`. */
function said(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return failureMessage(error);
  }
  throw new Error("it threw nothing");
}

Deno.test("an error of step or solve names the function, the file and the line, and nothing of ours", async () => {
  using folder = new TempFolder();
  const { path, load: loading } = await load(
    folder,
    source({ step: "() => undefined.place", solve: "() => { throw new RangeError('no way'); }" }),
  );
  const env = (await loading()).make();
  env.reset({ seed: 0 });
  assertEquals(
    said(() => env.step(0)),
    `Cannot go on: step threw TypeError at ${path}:4:23: Cannot read properties of undefined (reading 'place')`,
  );
  assertEquals(said(() => env.solve!()), `Cannot go on: solve threw RangeError at ${path}:6:22: no way`);
});

Deno.test("the function is the one that was called, the line the one that failed", async () => {
  using folder = new TempFolder();
  const { path, load: loading } = await load(
    folder,
    source(
      { step: "(state) => ({ state: moved(state), reward: 1 })" },
      " const moved = (state) => [state].map((s) => s.no.where)[0];",
    ),
  );
  const env = (await loading()).make();
  env.reset({ seed: 0 });
  const message = said(() => env.step(0));
  const column = message.match(/:1:(\d+): /)![1];
  assertEquals(
    message,
    `Cannot go on: step threw TypeError at ${path}:1:${column}: Cannot read properties of undefined (reading 'where')`,
  );
});

Deno.test("what JavaScript itself throws counts as thrown where it was called", async () => {
  using folder = new TempFolder();
  const { path, load: loading } = await load(folder, source({ step: "() => JSON.parse('{')" }));
  const env = (await loading()).make();
  env.reset({ seed: 0 });
  const message = said(() => env.step(0));
  assertEquals(message.startsWith(`Cannot go on: step threw SyntaxError at ${path}:4:18: `), true, message);
});

Deno.test("an error of a function of ours says where it was called", async () => {
  using folder = new TempFolder();
  const { path, load: loading } = await load(
    folder,
    source({ render: '({ place }) => gridPicture(["A", "?"].slice(place, place + 1), { A: [0, 0, 0] })' }),
  );
  const env = (await loading()).make();
  env.reset({ seed: 0 });
  assertEquals(
    said(() => env.step(0).observation),
    `Cannot draw a grid: "?" has no colour, give it one (render at ${path}:5:24)`,
  );
});

Deno.test("a module beside the environment's counts as the user's, and one elsewhere does not", async () => {
  using folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/rules.ts`, "export const moved = (state) => state.no.where;\n");
  const { load: loading } = await load(
    folder,
    source(
      { step: "(state) => ({ state: moved(state), reward: 1 })" },
      ' import { moved } from "./rules.ts";',
    ),
  );
  const env = (await loading()).make();
  env.reset({ seed: 0 });
  assertEquals(
    said(() => env.step(0)),
    `Cannot go on: step threw TypeError at ${folder.path}/rules.ts:1:42: ` +
      "Cannot read properties of undefined (reading 'where')",
  );
  assertEquals(
    said(() => {
      throw new Error("ours");
    }),
    "ours",
  );
});

Deno.test("a class's methods, and what fails while the file is loaded, are named too", async () => {
  using folder = new TempFolder();
  const maze = await load(
    folder,
    `import { defineEnvironment } from "${ENVS}";
class Maze {
  actions = ["a", "b"];
  reset() { return { observation: { width: 1, height: 1, data: new Uint8Array(3) }, info: { goalReached: false } }; }
  step() { return this.walls.at(0); }
}
export default defineEnvironment({ name: "Maze", make: () => new Maze() });`,
    "maze.ts",
  );
  const env = (await maze.load()).make();
  env.reset({ seed: 0 });
  assertEquals(
    said(() => env.step(0)).split(": Cannot read")[0],
    `Cannot go on: step threw TypeError at ${maze.path}:5:30`,
  );
  const early = await load(folder, source({ reset: "() => { throw new Error('too early'); }" }), "early.ts");
  await assertRejects(
    early.load,
    UsageError,
    `Cannot load environment ${early.path}: reset threw Error at ${early.path}:3:22: too early`,
  );
  const module = await load(folder, "throw new Error('at once');", "module.ts");
  await assertRejects(
    module.load,
    UsageError,
    `Cannot load environment ${module.path}: the module threw Error at ${module.path}:1:7: at once`,
  );
});
