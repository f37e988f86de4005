import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { failureMessage } from "../../../rl/cli/mod.ts";

/** The error that `work` throws. */
function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("it threw nothing");
}

Deno.test("an error of this toolkit stays as it is, without the system's numbers and calls", () => {
  const message = "Cannot read a.json: No such file or directory, check the path";
  const withSystem = (words: string) => message.replace(" directory", ` directory (os error 2)${words}`);
  for (const said of [message, withSystem(""), withSystem(": readfile '/it's/a,'b'")]) {
    assertEquals(failureMessage(new Error(said)), message);
  }
  assertEquals(failureMessage("text"), "text");
});

Deno.test("an error of the system says what could not be done and what to do", () => {
  const missing = thrownBy(() => Deno.readTextFileSync("/no/such/file"));
  assertEquals(
    failureMessage(missing),
    "Cannot read /no/such/file: no such file or directory, check the path",
  );
  assertEquals(
    failureMessage(new Error("No space left on device (os error 28)")),
    "Cannot go on: no space left on device, free some space",
  );
  assertMatch(
    failureMessage(thrownBy(() => Deno.mkdirSync("/"))),
    /^Cannot make the folder \/: file exists, choose/,
  );
  assertMatch(failureMessage(new Error("Something new (os error 99)")), /^Cannot go on: something new, /);
});

Deno.test("a missing permission is named with what grants it, also below another error", () => {
  const denied = new Deno.errors.NotCapable(
    'Requires write access to "/data/x", run again with the --allow-write flag',
  );
  const expected =
    'Cannot write "/data/x": no permission, ./ponder grants the repository, its cache and the ' +
    "paths on the command line; see SECURITY.md";
  assertEquals(failureMessage(denied), expected);
  assertEquals(failureMessage(new Error("Cannot write /data/x: denied", { cause: denied })), expected);
  const module = new TypeError('Requires read access to "/a.ts", run again with the --allow-read flag');
  assertStringIncludes(failureMessage(module), 'Cannot read "/a.ts": no permission, ');
  const net = new Deno.errors.NotCapable('Requires net access to "a:1", run again with the --allow-net flag');
  assertStringIncludes(
    failureMessage(net),
    'Cannot use net "a:1": no permission, --allow-net would grant it',
  );
});
