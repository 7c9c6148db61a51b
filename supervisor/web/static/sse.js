/** Server-sent events out of pieces of text, for a stream that EventSource can't ask for. */
export class EventParser {
  #rest = "";
  #onEvent;

  /** `onEvent(name, data)`, data as text. */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** Pieces may be cut anywhere. */
  push(piece) {
    // The text is searched from where the last piece ended, so that a long event costs its length once.
    const from = Math.max(0, this.#rest.length - 1);
    const text = this.#rest + piece;
    let start = 0;
    let end = text.indexOf("\n\n", from);
    while (end !== -1) {
      this.#block(text.slice(start, end));
      start = end + 2;
      end = text.indexOf("\n\n", start);
    }
    this.#rest = text.slice(start);
  }

  #block(block) {
    let name = "message";
    const data = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
      else if (line.startsWith("event:")) name = line.slice(6).trim();
    }
    if (data.length) this.#onEvent(name, data.join("\n"));
  }
}
