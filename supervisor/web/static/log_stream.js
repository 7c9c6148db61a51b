/** A service's lines over HTTP: those there are, and then each as it comes. */

import { Refused, servicePath } from "./api.js";
import { EventParser } from "./sse.js";

/** Lines that are asked for at the beginning. */
const LINES = 100_000;
const RETRY_MS = 1000;

export class LogStream {
  #api;
  #path;
  #handlers;
  #abort = new AbortController();

  /** `handlers`: {begin() at each new connection, lines([{time, text}, …]), lost(), refused(refusal)}. */
  constructor(api, { instance, service }, handlers) {
    this.#api = api;
    this.#path = `${servicePath(instance, service.name, "logs/stream")}&lines=${LINES}`;
    this.#handlers = handlers;
  }

  /** Until it is closed, or refused. */
  async run() {
    while (!this.#abort.signal.aborted) {
      try {
        await this.#once();
      } catch (failure) {
        if (failure instanceof Refused && failure.status < 500) {
          this.#handlers.refused(failure);
          return;
        }
      }
      if (this.#abort.signal.aborted) return;
      this.#handlers.lost();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  close() {
    this.#abort.abort();
  }

  async #once() {
    const response = await this.#api.request(this.#path, { signal: this.#abort.signal });
    this.#handlers.begin();
    const parser = new EventParser((name, data) => {
      if (name === "lines") this.#handlers.lines(JSON.parse(data).lines);
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.push(value);
    }
  }
}
