import { assertEquals } from "@std/assert";
import { StopRequests } from "../../../rl/run/stop.ts";

/** What each signal asks for, at its time in milliseconds. */
function answers(...signals: [signal: string, timeMs: number][]): string[] {
  const requests = new StopRequests();
  return signals.map(([signal, timeMs]) => requests.next(signal, timeMs));
}

Deno.test("the first signal asks to stop, the same one again to exit", () => {
  assertEquals(answers(["SIGINT", 10], ["SIGINT", 900]), ["stop", "exit"]);
  assertEquals(answers(["SIGTERM", 10], ["SIGTERM", 900]), ["stop", "exit"]);
});

Deno.test("an echo of the first signal asks for nothing: deno task hands on what the terminal sent to both", () => {
  assertEquals(answers(["SIGINT", 10], ["SIGINT", 12], ["SIGINT", 700]), ["stop", "nothing", "exit"]);
});

Deno.test("a closing terminal never ends the work without a save", () => {
  assertEquals(
    answers(["SIGHUP", 0], ["SIGHUP", 900], ["SIGTERM", 1800], ["SIGHUP", 2700]),
    ["stop", "nothing", "nothing", "nothing"],
  );
  assertEquals(answers(["SIGINT", 0], ["SIGHUP", 900]), ["stop", "nothing"]);
});
