/** The connection to the server, and whether there is one. */

const RETRY_MS = 1000;

const SILENCE_MS = 10_000;
/* A sample comes every second; a server that is stopped, or a machine that slept, sends none. */

export class Live {
  #url;
  #handlers;
  #onConnection;
  #source = null;
  #heard = 0;
  #told = new Set();

  /**
   * `handlers`: event name to what is done with its data; its second argument tells whether this is the first
   * of that name on this connection. `onConnection(connected)` at least at each change.
   */
  constructor(url, handlers, onConnection) {
    this.#url = url;
    this.#handlers = handlers;
    this.#onConnection = onConnection;
  }

  start() {
    this.#open();
    setInterval(() => this.#watch(), RETRY_MS);
  }

  #open() {
    this.#heard = performance.now();
    const source = new EventSource(this.#url);
    this.#source = source;
    for (const [name, handle] of Object.entries(this.#handlers)) {
      source.addEventListener(name, (event) => this.#receive(source, handle, event));
    }
    source.addEventListener("open", () => this.#told.clear());
    source.addEventListener("error", () => this.#lost(source));
  }

  #receive(source, handle, event) {
    if (source !== this.#source) return;
    this.#heard = performance.now();
    this.#onConnection(true);
    const first = !this.#told.has(event.type);
    this.#told.add(event.type);
    handle(JSON.parse(event.data), first);
  }

  #lost(source) {
    if (source === this.#source) this.#onConnection(false);
  }

  /** An EventSource tries again by itself, save after an answer that is an error, and when it hears nothing. */
  #watch() {
    const silent = performance.now() - this.#heard > SILENCE_MS;
    if (!silent && this.#source.readyState !== EventSource.CLOSED) return;
    this.#source.close();
    this.#onConnection(false);
    this.#open();
  }
}
