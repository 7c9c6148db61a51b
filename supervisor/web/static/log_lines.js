/** The lines of one log, as many as are kept, each with a serial number that it keeps; and the search in them. */

import { plain } from "./ansi.js";

/** Lines; more, and the oldest go. */
const KEPT = 200_000;

const DROPPED_AT_ONCE = 10_000;

export class LogLines {
  #lines = [];
  /** Serial number of the oldest line that is kept. */
  first = 0;
  /** How many went because there were too many. */
  dropped = 0;
  #kept;
  #atOnce;

  constructor(kept = KEPT, droppedAtOnce = DROPPED_AT_ONCE) {
    this.#kept = kept;
    this.#atOnce = droppedAtOnce;
  }

  get count() {
    return this.#lines.length;
  }

  /** One past the serial number of the newest. */
  get end() {
    return this.first + this.#lines.length;
  }

  /** `lines`: [{time, text}, …]. Returns how many old ones went. */
  push(lines) {
    for (const { time, text } of lines) this.#lines.push({ time, text, plain: plain(text) });
    if (this.count <= this.#kept) return 0;
    const gone = Math.min(this.count, Math.max(this.#atOnce, this.count - this.#kept));
    this.#lines.splice(0, gone);
    this.first += gone;
    this.dropped += gone;
    return gone;
  }

  /** The next ones are told from the beginning; no serial number is used twice. */
  clear() {
    this.first = this.end;
    this.dropped = 0;
    this.#lines = [];
  }

  /** {time, text, plain}, or undefined. */
  at(serial) {
    return this.#lines[serial - this.first];
  }

  /** Every line, without codes. */
  text() {
    return this.#lines.map((line) => line.plain).join("\n");
  }
}

/** Milliseconds of one stretch of searching: shorter than a frame. */
const STRETCH_MS = 8;
const LOOK_AT_THE_CLOCK_EVERY = 512;

/** Where a text occurs: serial numbers of lines, found a stretch at a time so that the page stays quick. */
export class Search {
  #lines;
  #wanted;
  #anyCase;
  #next;
  hits = [];

  /** Small letters find capitals too; a capital finds itself alone. */
  constructor(lines, text) {
    this.#lines = lines;
    this.#wanted = text;
    this.#anyCase = text === text.toLowerCase();
    this.#next = lines.first;
  }

  /** Looks on; true if all that there is has been looked at. */
  step(now = () => performance.now()) {
    const until = now() + STRETCH_MS;
    this.#forget();
    while (this.#next < this.#lines.end) {
      if (this.#next % LOOK_AT_THE_CLOCK_EVERY === 0 && now() > until) return false;
      if (this.ranges(this.#lines.at(this.#next).plain, 1).length) this.hits.push(this.#next);
      this.#next += 1;
    }
    return true;
  }

  /** Where in one line: [[start, end], …], at most `most`. */
  ranges(line, most = 1000) {
    const text = this.#anyCase ? line.toLowerCase() : line;
    const found = [];
    let start = text.indexOf(this.#wanted);
    while (start !== -1 && found.length < most) {
      found.push([start, start + this.#wanted.length]);
      start = text.indexOf(this.#wanted, start + this.#wanted.length);
    }
    return found;
  }

  /** Index in `hits` of the first one at or after a line; hits.length if there is none. */
  indexFrom(serial) {
    let low = 0;
    let high = this.hits.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hits[middle] < serial) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #forget() {
    this.#next = Math.max(this.#next, this.#lines.first);
    if (this.hits.length && this.hits[0] < this.#lines.first) this.hits.splice(0, this.indexFrom(this.#lines.first));
  }
}
