/** What went wrong, in the error's own words, until somebody closes it. */

import { button, el } from "./dom.js";

const MOST = 5;

export class Notices {
  #parent;
  #byTopic = new Map();

  constructor(parent) {
    this.#parent = parent;
  }

  /** `topic`: a newer notice of the same topic replaces it. `words`: {message, details, hint}. */
  show(topic, title, { message, details = [], hint = null }, look = "bad") {
    this.clear(topic);
    const close = button("×", { "aria-label": `Close: ${title}` });
    const lines = details.map((line) => el("li", {}, line));
    const node = el(
      "div",
      { class: `notice ${look}` },
      el("p", {}, el("strong", {}, title), ` ${message}`),
      ...(lines.length ? [el("ul", {}, ...lines)] : []),
      ...(hint ? [el("p", { class: "hint" }, hint)] : []),
      close,
    );
    close.addEventListener("click", () => this.clear(topic));
    this.#byTopic.set(topic, node);
    this.#parent.append(node);
    if (this.#byTopic.size > MOST) this.clear(this.#byTopic.keys().next().value);
  }

  clear(topic) {
    this.#byTopic.get(topic)?.remove();
    this.#byTopic.delete(topic);
  }
}
