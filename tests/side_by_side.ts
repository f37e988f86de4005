/** Work that starts processes, two at a time: a process of ours computes on one core for most of its time. */

const AT_A_TIME = 2;

/** Does `work` for each item, in order, two at a time. Throws the first error once all that was begun has ended. */
export async function sideBySide<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const errors: unknown[] = [];
  const workers = Array.from({ length: AT_A_TIME }, async () => {
    while (left.length > 0 && errors.length === 0) {
      await work(left.shift()!).catch((error) => errors.push(error));
    }
  });
  await Promise.all(workers);
  if (errors.length > 0) throw errors[0];
}
