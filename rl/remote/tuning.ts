/**
 * Which kernels acting and learning use. The choice decides the last bits, so a worker on the learner's kind of adapter takes the
 * learner's. Only names travel.
 *
 * @module
 */
import { environment, type Gpu } from "../../kernels/gpu/mod.ts";
import { applyTuning, type Tuning } from "../../kernels/tune.ts";
import { shown } from "../cli/mod.ts";

/** What decides which variant of each kernel a launch takes, beside the kind of adapter. */
export interface KernelChoice extends Pick<Tuning, "chosen" | "rejected"> {
  /** The variant that `PONDER_VARIANT` forces on every kernel that has it; null if it forces none. */
  readonly forced: string | null;
}

/** Most kernels, and variants of one. */
const MOST_NAMES = 100;

/** The choice that holds on a GPU. */
export function kernelChoiceOf({ tuned, rejected }: Gpu): KernelChoice {
  return {
    forced: environment("PONDER_VARIANT") || null,
    chosen: Object.fromEntries(tuned),
    rejected: Object.fromEntries([...rejected].map(([kernel, variants]) => [kernel, [...variants]])),
  };
}

/** Is this a choice in its form? Whether the names are of kernels shows later. */
export function isKernelChoice(value: unknown): value is KernelChoice {
  const isName = (text: unknown) => typeof text === "string" && /^[\w-]{1,40}$/.test(text);
  const isTable = (table: unknown, isGood: (item: unknown) => boolean) =>
    typeof table === "object" && table !== null && !Array.isArray(table) &&
    Object.keys(table).length <= MOST_NAMES && Object.keys(table).every(isName) &&
    Object.values(table).every(isGood);
  const { forced, chosen, rejected } = (value ?? {}) as Partial<KernelChoice>;
  return (forced === null || isName(forced)) && isTable(chosen, isName) &&
    isTable(rejected, (list) => Array.isArray(list) && list.length <= MOST_NAMES && list.every(isName));
}

/**
 * Has a GPU of the learner's kind of adapter launch the kernels that the learner launches.
 *
 * @param known Names of all variants, to check the learner's against.
 * @throws {SyntaxError} when the learner names a variant that no kernel has.
 * @throws {Error} when this machine cannot do the same: another variant is forced, or one fails its check here.
 */
export async function takeKernelChoice(
  gpu: Gpu,
  run: string,
  choice: KernelChoice,
  known: () => Promise<readonly string[]>,
): Promise<void> {
  const { forced, chosen, rejected } = choice;
  const own = kernelChoiceOf(gpu);
  if (forced !== own.forced) {
    const said = (variant: string | null) => variant === null ? "none" : variant;
    throw new Error(
      `Cannot work for ${run}: its learner has PONDER_VARIANT=${said(forced)}, this machine ${
        said(own.forced)
      }; ` +
        "set the same everywhere",
    );
  }
  const named = [
    ...Object.entries(chosen),
    ...Object.entries(rejected).flatMap(([kernel, variants]) => variants.map((variant) => [kernel, variant])),
  ];
  if (named.length > 0) {
    const variants = new Set(await known());
    const unknown = named.find(([, variant]) => !variants.has(variant));
    if (unknown !== undefined) {
      throw new SyntaxError(
        `Cannot work for ${run}: its tuning names the variant ${shown(unknown[1])} of ${
          shown(unknown[0])
        }, which no kernel ` +
          "has; look who sends there",
      );
    }
  }
  for (const [kernel, variants] of Object.entries(own.rejected)) {
    const usable = variants.find((variant) => !rejected[kernel]?.includes(variant));
    if (usable === undefined) continue;
    throw new Error(
      `Cannot work for ${run}: the variant ${usable} of ${kernel} fails its check on this machine, and its learner may use it; ` +
        "use another machine, or the same driver everywhere",
    );
  }
  applyTuning(gpu, choice);
}
