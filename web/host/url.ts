/** What the library takes of `node:url`, in a browser. */

/** The path of a URL. */
export const fileURLToPath = (url: string | URL): string => decodeURIComponent(new URL(url).pathname);
