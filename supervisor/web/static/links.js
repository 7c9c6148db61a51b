const HOSTS = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** The URL of a service if it is one of this machine's, else null: a record may lie. */
export function localUrl(text) {
  if (text === null) return null;
  try {
    const url = new URL(text);
    return url.protocol === "http:" && HOSTS.has(url.hostname) && !url.username ? url.href : null;
  } catch {
    return null;
  }
}
