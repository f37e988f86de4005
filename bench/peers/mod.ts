/**
 * Other WebGPU libraries on the same adapter. They are loaded only if a benchmark asks for peers.
 *
 * @module
 */
import type { Peer } from "./common.ts";
import { openJax } from "./jax.ts";
import { openTfjs } from "./tfjs.ts";

/** Loads and initialises all peers. A peer that fails is left out and reported. */
export async function openPeers(warn: (message: string) => void): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const open of [openJax, openTfjs]) {
    try {
      peers.push(await open());
    } catch (error) {
      warn((error as Error).message);
    }
  }
  return peers;
}
