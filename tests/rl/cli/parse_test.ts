import { assert, assertEquals, assertThrows } from "@std/assert";
import { defineOptions, parseOptions, UsageError } from "../../../rl/cli/mod.ts";

const options = defineOptions({
  env: { type: "string", default: "NumberLine", short: "e", meaning: "environment" },
  preset: { type: "string", choices: ["nano", "micro", "mini"], default: "nano", meaning: "model size" },
  seed: { type: "integer", default: 0, min: 0, meaning: "seed of everything random" },
  lambda: { type: "number", default: 0.5, min: 0, max: 1, meaning: "weight of the thought" },
  shift: { type: "number", meaning: "any number" },
  envSteps: { type: "integer", unit: "steps", meaning: "steps in the environment" },
  cot: { type: "boolean", default: true, meaning: "think first" },
  json: { type: "boolean", default: false, meaning: "machine-readable output" },
  freeze: { type: "list", default: [], meaning: "tensors that stay as they are" },
});

const parse = (...args: string[]) => parseOptions(args, options);
const withFile = (text: string, ...args: string[]) =>
  parseOptions(["--config", "run.json", ...args], options, { readText: () => text });
const rejects = (message: string, run: () => unknown) => assertThrows(run, UsageError, message);

Deno.test("without arguments every value is its default", () => {
  assertEquals(parse().values, {
    env: "NumberLine",
    preset: "nano",
    seed: 0,
    lambda: 0.5,
    shift: undefined,
    envSteps: undefined,
    cot: true,
    json: false,
    freeze: [],
  });
  assertEquals(parse().given, {});
});

Deno.test("a flag alone stands for its text where it has one", () => {
  const sheet = defineOptions({
    sheet: { type: "string", bare: "sheet.png", meaning: "picture" },
    columns: { type: "integer", default: 6, meaning: "columns" },
  });
  const read = (...args: string[]) => parseOptions(args, sheet).values;
  assertEquals(read().sheet, undefined);
  assertEquals(read("--sheet").sheet, "sheet.png");
  assertEquals(read("--sheet", "--columns", "2"), { sheet: "sheet.png", columns: 2 });
  assertEquals(read("--sheet", "a.png").sheet, "a.png");
});

Deno.test("flags are read as their declared types, and listed as given", () => {
  const { values, given } = parse(
    "-e",
    "007",
    "--seed=7",
    "--env-steps",
    "1e3",
    "--no-cot",
    "--json",
    "--freeze",
    "a, b",
  );
  assertEquals(given, { env: "007", seed: 7, envSteps: 1000, cot: false, json: true, freeze: ["a", "b"] });
  assertEquals({ ...values }, { ...parse().values, ...given });
});

Deno.test("values are typed by their declaration", () => {
  const { values } = parse();
  const seed: number = values.seed;
  const preset: "nano" | "micro" | "mini" = values.preset;
  const steps: number | undefined = values.envSteps;
  assertEquals([seed, preset, steps], [0, "nano", undefined]);
});

Deno.test("a negative number is a value, not a flag", () => {
  assertEquals(parse("--shift", "-0.5").values.shift, -0.5);
  assertEquals(parse("--shift=-0").values.shift, 0);
  assertEquals(parse("--shift=-3").values.shift, -3);
});

Deno.test("an unknown flag is named with the nearest one", () => {
  rejects("Unknown flag --env-stpes: did you mean --env-steps?", () => parse("--env-stpes", "5"));
  rejects("Unknown flag --no-cto: did you mean --no-cot?", () => parse("--no-cto"));
  rejects("Unknown flag --sede: did you mean --seed?", () => parse("--sede=5"));
  rejects("Unknown flag --qqqqqqqq: the nearest is --env", () => parse("--qqqqqqqq"));
  rejects("Unknown flag -z", () => parse("-z"));
});

Deno.test("a value that does not fit is refused with what would", () => {
  rejects('--seed needs an integer, got "x"', () => parse("--seed", "x"));
  rejects('--seed needs an integer, got "1.5"', () => parse("--seed", "1.5"));
  rejects('--env-steps needs an integer of steps, got "many"', () => parse("--env-steps", "many"));
  rejects('--shift needs a number, got "Infinity"', () => parse("--shift", "Infinity"));
  rejects("--seed must be at least 0, got -1", () => parse("--seed", "-1"));
  rejects("--lambda must be from 0 to 1, got 2", () => parse("--lambda", "2"));
  rejects('Unknown value "nanoo" of --preset: did you mean nano?', () => parse("--preset", "nanoo"));
  rejects('--json needs true or false, got "maybe"', () => parse("--json=maybe"));
});

Deno.test("a flag without its value is refused", () => {
  rejects("Missing value of --seed", () => parse("--seed"));
  rejects("Missing value of --env-steps (steps)", () => parse("--env-steps", "--json"));
  rejects("Missing value of --env", () => parse("--env", ""));
});

Deno.test("surplus arguments are refused, allowed ones are kept as text", () => {
  rejects('Unexpected argument "run"', () => parse("run"));
  assertEquals(parseOptions(["007", "--json"], options, { maxPositional: 1 }).positional, ["007"]);
});

Deno.test("--help wins over every other flag, also a wrong one", () => {
  assertEquals(parse("--help", "--sede", "x").help, true);
  assertEquals(parse("-h").help, true);
  assertEquals(parse().help, false);
});

Deno.test("a file's settings win over defaults, flags win over the file", () => {
  const { values, given } = withFile(
    '{"seed": 3, "lambda": 0.1, "cot": false, "freeze": ["a"]}',
    "--seed",
    "4",
    "--cot",
  );
  assertEquals(given, { seed: 4, lambda: 0.1, cot: true, freeze: ["a"] });
  assertEquals(values.preset, "nano");
});

Deno.test("a file's unknown settings and wrong values are named with the file", () => {
  rejects('Unknown setting "lamda" in run.json: did you mean lambda?', () => withFile('{"lamda": 0.1}'));
  rejects('Unknown setting "constructor" in run.json', () => withFile('{"constructor": 1}'));
  rejects('"seed" in run.json needs an integer, got true', () => withFile('{"seed": true}'));
  rejects('"cot" in run.json needs true or false, got "no"', () => withFile('{"cot": "no"}'));
  rejects('"lambda" in run.json must be from 0 to 1, got 7', () => withFile('{"lambda": 7}'));
  rejects('"freeze" in run.json needs a list of texts, got [1]', () => withFile('{"freeze": [1]}'));
});

Deno.test("the name that parseArgs keeps for itself is no flag, nor are words with one dash", () => {
  for (const flag of ["--_", "--_=x", "--no-_", "-_", "-h_"]) {
    rejects(`Unknown flag ${flag.split("=")[0]}`, () => parse(flag, "x"));
  }
  for (const word of ["-dash", "-hx", "-h=1", "-éh"]) {
    rejects(`Unknown flag ${word.split("=")[0]}`, () => parse(word));
  }
  rejects("Unknown flag --env.x", () => parse("--env.x=1"));
  rejects("Unknown flag --__proto__", () => parse("--__proto__", "x"));
});

Deno.test("a long value is not repeated in full, nor compared with every name", () => {
  const long = "x".repeat(2_000_000);
  const calls = [
    () => parse("--seed", long),
    () => parse("--preset", long),
    () => parse(`--json=${long}`),
    () => parse(`--${long}`),
    () => parse(long),
    () => withFile(JSON.stringify({ [long]: 1 })),
    () => withFile(long),
    () => withFile(JSON.stringify({ freeze: [long, 1] })),
  ];
  for (const call of calls) assert(assertThrows(call, UsageError).message.length < 400);
});

Deno.test("a file may begin with a byte order mark", () => {
  assertEquals(withFile('\ufeff{"seed": 3}').values.seed, 3);
});

Deno.test("a file may be in UTF-16, as PowerShell writes it", () => {
  const path = Deno.makeTempFileSync();
  try {
    for (const isLittle of [true, false]) {
      const text = '\ufeff{"preset": "micro", "freeze": ["é😀"]}';
      const view = new DataView(new ArrayBuffer(2 * text.length));
      for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), isLittle);
      Deno.writeFileSync(path, new Uint8Array(view.buffer));
      assertEquals(parse("--config", path).given, { preset: "micro", freeze: ["é😀"] });
    }
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("--config takes plain files only, so that it never waits for a pipe", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    rejects(
      `Cannot read --config ${folder}: it is a folder, name a JSON file`,
      () => parse("--config", folder),
    );
    rejects("it is a pipe or device, no plain file", () => parse("--config", "/dev/null"));
    const pipe = `${folder}/pipe`;
    const { success } = await new Deno.Command("mkfifo", { args: [pipe] }).output();
    if (success) rejects("it is a pipe or device, no plain file", () => parse("--config", pipe));
    Deno.writeTextFileSync(`${folder}/large.json`, " ".repeat(2 << 20));
    rejects("it holds 2097152 bytes", () => parse("--config", `${folder}/large.json`));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a file that is no JSON object or cannot be read is refused", () => {
  rejects("Cannot read --config run.json: not JSON", () => withFile("{"));
  rejects("Cannot read --config run.json: must hold one object", () => withFile("[1]"));
  rejects("--config needs the path", () => parse("--config"));
  rejects(
    "Cannot read --config no/such/file.json: no such file, check the path",
    () => parse("--config", "no/such/file.json"),
  );
});
