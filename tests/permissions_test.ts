/** What SECURITY.md says of permissions, held against the tasks of deno.json. */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as {
  tasks: Record<string, { command: string }>;
};
const security = Deno.readTextFileSync(new URL("SECURITY.md", ROOT));
const table = security.slice(
  security.indexOf("| permission"),
  security.indexOf("\n\n", security.indexOf("| permission")),
);
const rows = table.split("\n").slice(2).map((row) => row.split("|").slice(1, 3).map((cell) => cell.trim()));

/** The words in code spans. */
const codeIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code);

/** Tasks on code of this repository alone, with whatever they need. */
const wide = codeIn(security.match(/^- The (.*) commands run with wide permissions/m)![1]);
/** Starts no program. */
const NONE = ["docs"];

/** What the row that begins with a flag names. */
function reasonsOf(flag: string): string[] {
  return rows.filter(([permission]) => permission.includes(flag)).flatMap(([, reason]) => codeIn(reason));
}

Deno.test("every task that SECURITY.md does not call wide has the permissions of its table, and no other", () => {
  for (const [name, { command }] of Object.entries(tasks)) {
    if (wide.includes(name) || NONE.includes(name)) continue;
    const flags = command.split(" ").filter((word) => word.startsWith("-"));
    // It is no permission: soak collects garbage before it measures.
    const permissions = flags.filter((flag) => flag !== "--v8-flags=--expose-gc");
    assertEquals(permissions.slice(0, 2), ["--frozen", "--no-prompt"], name);
    for (const flag of permissions.slice(2)) {
      const [permission, list] = flag.split("=");
      switch (permission) {
        case "--config":
          break;
        case "-R":
        case "-W":
          assertEquals(list, undefined); // `./ponder` narrows it down
          break;
        case "--allow-ffi":
          assert(table.includes(`\`${flag}\``), `${name}: ${flag}`);
          break;
        case "--allow-env":
        case "--allow-sys":
          for (const item of list.split(",")) {
            assert(reasonsOf(permission).includes(item), `${name}: SECURITY.md gives no reason for ${item}`);
          }
          break;
        default:
          assert(
            rows.some(([permissions, reason]) => permissions.includes(flag) && codeIn(reason)[0] === name),
            `${name}: SECURITY.md gives it no ${flag}`,
          );
      }
    }
  }
});

Deno.test("SECURITY.md calls no task wide that is not, and names none that is not there", () => {
  for (const name of wide) {
    const { command } = tasks[name];
    assert(/ (-A|-E|--allow-run|--allow-sys)( |$)/.test(command), `${name}: ${command}`);
  }
});

Deno.test("only those tasks reach a network that SECURITY.md names, and but for import only this machine's own", () => {
  for (const [name, { command }] of Object.entries(tasks)) {
    const net = command.split(" ").filter((word) => word.startsWith("--allow-net"));
    if (net.length === 0) continue;
    if (name === "import") {
      assertEquals(net, ["--allow-net"]); // `./ponder` narrows it down
      continue;
    }
    assertEquals(net, ["--allow-net=127.0.0.1"], name);
    assert(wide.includes(name) || reasonsOf("--allow-net=127.0.0.1").includes(name), name);
  }
});
