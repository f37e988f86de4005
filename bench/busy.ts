/**
 * Reads the CPU time in nanoseconds of the threads that play the GPU, on Linux with software Vulkan. lavapipe's workers have no
 * name of their own and carry the process's. The main thread has that name too; it is left out. Deno shows `/proc/self/task`
 * only to processes with all permissions. Without them, and on other systems, the result is null.
 *
 * Other work on the machine changes this time less than the wall time: a thread that waits for its core uses no CPU time. Shared
 * caches, memory bandwidth and clock still slow it down, up to twofold on a busy machine. Quote ratios taken in one run, or
 * runs on a quiet machine.
 */
export function busyNs(): number | null {
  try {
    const tasks = "/proc/self/task";
    const nameOf = (id: string) => Deno.readTextFileSync(`${tasks}/${id}/comm`).trim();
    const mainName = nameOf(String(Deno.pid));
    // Threads appear with the first work, those of peers later. They are therefore listed anew each time.
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
