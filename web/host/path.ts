/** What the library takes of `node:path`, in a browser, where paths name nothing. */

/** As Node's, for POSIX. */
export const isAbsolute = (path: string): boolean => path.startsWith("/");

/** As Node's, but for `.` and `..`. */
export const join = (...parts: string[]): string => parts.join("/").replace(/\/{2,}/g, "/");

/** As Node's, but for a slash at the end. */
export const basename = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** As Node's, but for a slash at the end. */
export const dirname = (path: string): string => {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end) || "/";
};

/** As Node's, in a root folder, but for `.` and `..`. */
export const resolve = (...parts: string[]): string =>
  join("/", ...parts.slice(Math.max(0, parts.findLastIndex(isAbsolute))));
