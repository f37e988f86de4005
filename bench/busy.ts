/**
 * CPU time of the threads that play the GPU, on Linux with software Vulkan. lavapipe's workers have no name of their own,
 * so they carry the process's. Its main thread does too, and is left out. Deno shows `/proc/self/task` only to processes
 * with all permissions; without them, and elsewhere, the answer is null.
 *
 * Flops over this time, per worker, is a rate that other work moves less than the wall rate: a thread that waits for
 * its core does not age. Shared caches, memory bandwidth and clock still slow it down, up to twofold on a busy
 * machine. Worth quoting are ratios taken in one run, and runs on a quiet machine.
 */
export function busyNs(): number | null {
  try {
    const tasks = "/proc/self/task";
    const nameOf = (id: string) => Deno.readTextFileSync(`${tasks}/${id}/comm`).trim();
    const mainName = nameOf(String(Deno.pid));
    // Threads come with the first work, those of peers later.
    const workers = [...Deno.readDirSync(tasks)].map(({ name }) => name).filter((id) =>
      id !== String(Deno.pid) && nameOf(id) === mainName
    );
    return workers.reduce(
      (sum, id) => sum + Number(Deno.readTextFileSync(`${tasks}/${id}/schedstat`).split(" ")[0]),
      0,
    );
  } catch {
    return null;
  }
}
