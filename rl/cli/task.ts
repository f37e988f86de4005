import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

/**
 * Reads the arguments with which a task of `deno.json` calls Deno, such that they work from any folder. Programs use them to
 * start a command without `deno task`, whose shell would keep signals from the command.
 */
export function taskArguments(name: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const [, ...words] = (tasks[name].command as string).split(" ");
  const script = new URL(words.pop()!, ROOT).href;
  const inRoot = (word: string) => word.replace(/=\.\//, `=${fileURLToPath(ROOT)}`);
  return [...words.map(inRoot), script];
}
