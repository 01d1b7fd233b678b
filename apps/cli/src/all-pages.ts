type Asked = { readonly page_size: number; readonly page_token?: string };

/** A whole list, asked for in pages of the largest size. */
export async function allPages<P extends { readonly next_page_token: string | null }>(
  ask: (page: Asked) => Promise<P>,
): Promise<readonly P[]> {
  const pages: P[] = [];
  for (let token: string | null | undefined; token !== null; token = pages.at(-1)?.next_page_token ?? null)
    pages.push(await ask({ page_size: 500, ...(token === undefined ? {} : { page_token: token }) }));
  return pages;
}
