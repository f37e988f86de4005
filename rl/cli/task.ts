import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

/**
 * The arguments of Deno with which a task of `deno.json` runs its command, from any folder: for programs that start a
 * command themselves, without the shell of `deno task` between, which would keep signals from it.
 */
export function taskArguments(name: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const [, ...words] = (tasks[name].command as string).split(" ");
  const script = new URL(words.pop()!, ROOT).href;
  const inRoot = (word: string) => word.replace(/=\.\//, `=${fileURLToPath(ROOT)}`);
  return [...words.map(inRoot), script];
}
