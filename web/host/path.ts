/** What the library takes of `node:path`, in a browser, where paths name nothing. */

/** As Node's, for POSIX. */
export const isAbsolute = (path: string): boolean => path.startsWith("/");

/** As Node's, but for `.` and `..`. */
export const join = (...parts: string[]): string => parts.join("/").replace(/\/{2,}/g, "/");
