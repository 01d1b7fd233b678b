/** What `work` comes to; where that takes longer, what `late` answers or throws. The work itself goes on. */
export async function within<T>(ms: number, work: Promise<T>, late: () => T): Promise<T> {
  const instead = Promise.withResolvers<T>();
  const timer = setTimeout(() => instead.resolve(new Promise((resolve) => resolve(late()))), ms);
  try {
    return await Promise.race([work, instead.promise]);
  } finally {
    clearTimeout(timer);
  }
}
