/** Index of the first element whose `at` is greater than the instant, in an array ascending by `at`. */
export function firstAfter(items: readonly { readonly at: number }[], at: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.at ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts an element behind those of the same instant; at the end in the common case. */
export function insertByAt<T extends { readonly at: number }>(items: T[], item: T): number {
  const last = items.at(-1);
  if (last === undefined || last.at <= item.at) return items.push(item) - 1;
  const index = firstAfter(items, item.at);
  items.splice(index, 0, item);
  return index;
}
