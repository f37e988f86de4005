/**
 * Where the hub of models is, who asks, and where its files are kept. The environment says so in the words of the hub's own
 * tools, so that each finds what the other has downloaded.
 *
 * Source: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables and
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 *
 * @module
 */
import { UsageError } from "../cli/mod.ts";

/** The hub, and this machine's copy of it. */
export interface Hub {
  /** Address without a slash at its end. */
  readonly endpoint: string;
  /** Sent to the endpoint alone; null if there is none. */
  readonly token: string | null;
  /** Folder of the downloaded models. */
  readonly cache: string;
  /** Whether to use only what is there. */
  readonly isOffline: boolean;
}

/** Variables that the hub's tools read. */
export const HUB_VARIABLES = [
  "HF_ENDPOINT",
  "HF_TOKEN",
  "HF_HOME",
  "HF_HUB_CACHE",
  "HF_HUB_OFFLINE",
  "XDG_CACHE_HOME",
  "HOME",
] as const;

/**
 * Reads the environment: `HF_ENDPOINT`, `HF_TOKEN` or the file `token` in `HF_HOME`, `HF_HUB_CACHE` or `hub` in `HF_HOME`,
 * `HF_HUB_OFFLINE`.
 *
 * @throws {UsageError} If the endpoint is no address.
 */
export async function readHub(
  get: (name: (typeof HUB_VARIABLES)[number]) => string | undefined,
): Promise<Hub> {
  const endpoint = (get("HF_ENDPOINT") || "https://huggingface.co").replace(/\/+$/, "");
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    throw new UsageError("Cannot use HF_ENDPOINT: it is no http or https address, correct or unset it");
  }
  const home = get("HF_HOME") || `${get("XDG_CACHE_HOME") || `${get("HOME") || "."}/.cache`}/huggingface`;
  const token = get("HF_TOKEN")?.trim() || await readToken(`${home}/token`);
  return {
    endpoint,
    token,
    cache: get("HF_HUB_CACHE") || `${home}/hub`,
    isOffline: /^(1|on|yes|true)$/i.test(get("HF_HUB_OFFLINE") ?? ""),
  };
}

async function readToken(path: string): Promise<string | null> {
  try {
    return (await Deno.readTextFile(path)).trim() || null;
  } catch {
    return null; // public models need none
  }
}

/** Is this the name of a model on the hub, and no folder? */
export function isModelName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text) && !text.includes("..");
}
