/** A NATS server on a free port with a store of its own, and worker processes. */
import { fileURLToPath } from "node:url";
import { taskArguments } from "../rl/cli/mod.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** A server of one's own. */
export class NatsServer implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "ponder_nats_" });
  readonly #port: number;
  readonly #args: readonly string[];
  #process: Deno.ChildProcess | null = null;

  private constructor(port: number, args: readonly string[]) {
    this.#port = port;
    this.#args = args;
  }

  /** Starts a server with JetStream, or with these arguments instead of `-js`. */
  static async start({ args = ["-js"], config = "" }: { args?: readonly string[]; config?: string } = {}) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    const server = new NatsServer(port, args);
    Deno.writeTextFileSync(`${server.#folder}/server.conf`, config);
    await server.begin();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Starts it again, with the same store, and another configuration if one is given. */
  async begin(config?: string): Promise<void> {
    if (config !== undefined) Deno.writeTextFileSync(`${this.#folder}/server.conf`, config);
    const store = ["-sd", `${this.#folder}/store`, "-c", `${this.#folder}/server.conf`];
    this.#process = new Deno.Command("nats-server", {
      args: [...this.#args, ...store, "-a", "127.0.0.1", "-p", String(this.#port)],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    while (!await answers(this.#port)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#process?.kill(signal);
  }

  /** Ends it, by SIGKILL or as a person would. */
  async end(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.status;
    this.#process = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** Arguments for Deno that start a command as `./ponder` does when it may reach that server. */
export function netArguments(name: "worker" | "train", host: string): string[] {
  const words = taskArguments(name);
  return [...words.slice(0, -1), `--allow-net=${host}`, words.at(-1)!];
}

/** A worker process. */
export class WorkerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #said: Promise<string>;
  #hasEnded = false;

  constructor(server: NatsServer, name: string, args: readonly string[] = []) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...netArguments("worker", server.host), "--nats", server.url, "--name", name, "--once", ...args],
      cwd: ROOT,
      env: { NO_COLOR: "1", INIT_CWD: "", PONDER_CWD: "", PONDER_TUNING: "off" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#said = new Response(this.#child.stderr).text();
    void this.#child.status.then(() => this.#hasEnded = true);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Sends it a signal, unless it has ended. */
  signal(signal: Deno.Signal): void {
    if (this.#hasEnded) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has just ended; its status is on the way.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** What it said and how it ended, once it has. */
  async outcome(): Promise<{ code: number; err: string }> {
    const [{ code }, err] = await Promise.all([this.#child.status, this.#said]);
    return { code, err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.outcome();
  }
}
