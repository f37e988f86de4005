/**
 * Acting through workers on other machines, over NATS.
 *
 * @module
 */
export { connectTo } from "./connect.ts";
export { programName } from "./program.ts";
export { requireWorkers, trainWithWorkers, workersFlag } from "./train.ts";
export { work, type WorkerSettings } from "./worker.ts";
