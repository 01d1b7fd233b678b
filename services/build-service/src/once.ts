/**
 * Makes a thing at the first asking; a failure is forgotten, so that the next one tries again. So is a thing of which `isThere` says no:
 * somebody may have emptied the folder in which it was kept.
 */
export function once<T>(make: () => Promise<T>, isThere?: (made: T) => Promise<boolean>): () => Promise<T> {
  let made: Promise<T> | undefined;
  const first = () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  if (isThere === undefined) return first;
  return async () => {
    const asked = first();
    if (await isThere(await asked)) return asked;
    if (made === asked) made = undefined;
    return first();
  };
}
