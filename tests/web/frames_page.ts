/** Runs in the browser and in Deno alike: frames of all environments. */
import { ENVIRONMENTS, findEnvironment } from "../../envs/mod.ts";

/** Environments by name. */
export const names = ENVIRONMENTS.map(({ name }) => name);

/** Loads what pictures need, in a browser. */
export async function load(): Promise<void> {
  const host: object = await import("../../envs/shared/canvas.ts");
  if ("loadPictures" in host) await (host.loadPictures as () => Promise<void>)();
}

/** Digests of the frames of episodes from seed 0 on, played at random. */
export async function frameDigests(name: string, episodes: number): Promise<string[]> {
  const env = findEnvironment(name).make();
  const digests: string[] = [];
  for (let seed = 0; seed < episodes; seed++) {
    let { observation } = env.reset({ seed });
    for (let isOver = false, step = 0; !isOver && step < 12; step++) {
      digests.push(await digestOf(observation.data));
      const result = env.step(env.randomAction());
      isOver = result.terminated || result.truncated;
      observation = result.observation;
    }
    digests.push(await digestOf(observation.data));
  }
  return digests;
}

/** A Blackjack frame with so many cards of the player's. */
export async function handDigest(cards: number): Promise<string> {
  const env = findEnvironment("Blackjack").make();
  const draws = [[10, "K", "S"], [5, "5", "D"], ...Array.from({ length: cards }, () => [1, "A", "H"])];
  let { observation } = env.reset({ seed: 0, options: { draws } });
  for (let card = 2; card < cards; card++) ({ observation } = env.step(1));
  return await digestOf(observation.data);
}

async function digestOf(data: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", data.slice());
  return Array.from(new Uint8Array(digest).subarray(0, 8), (each) => each.toString(16).padStart(2, "0")).join(
    "",
  );
}
