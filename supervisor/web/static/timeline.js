/** What happened, newest first: claims, spawns, what became ready, exits, and what went wrong. */

import { el, Keyed, setHidden, setText } from "./dom.js";
import { clock } from "./format.js";
import { eventLook, eventMessage, isStep } from "./states.js";

/** Entries that are shown. */
const SHOWN = 200;

class Entry {
  #who = el("span", { class: "who" });

  constructor(event) {
    const [symbol, word, look] = eventLook(event);
    const date = new Date(event.time * 1000);
    this.node = el(
      "li",
      { "data-look": look },
      el("time", { datetime: date.toISOString(), title: date.toLocaleString() }, clock(event.time)),
      el("span", { class: "symbol", "aria-hidden": "true" }, symbol),
      el("span", { class: "what" }, word),
      this.#who,
      el("span", { class: "message" }, eventMessage(event)),
    );
  }

  show(event, model) {
    setText(this.#who, who(event, model));
  }
}

function who(event, model) {
  const name = model.nameOf(event.instance_id);
  return event.service ? `${event.service} · ${name}` : name;
}

export class Timeline {
  #all;
  #entries;
  #empty = el("li", { class: "none" });

  /** `all`: the checkbox for every step. `onChange` when that is changed. */
  constructor(list, all, onChange) {
    this.#all = all;
    all.addEventListener("change", onChange);
    list.append(this.#empty);
    this.#entries = new Keyed(list, (_key, event) => new Entry(event), this.#empty);
  }

  show(model, filter) {
    const shown = [];
    for (let index = model.events.length - 1; index >= 0 && shown.length < SHOWN; index -= 1) {
      const event = model.events[index];
      if (this.#admits(event, model, filter)) shown.push([event.serial, event]);
    }
    setText(this.#empty, filter.isEmpty ? "Nothing yet." : "No event matches the filter.");
    setHidden(this.#empty, shown.length > 0);
    this.#entries.show(shown, (part, event) => part.show(event, model));
  }

  #admits(event, model, filter) {
    if (!this.#all.checked && !isStep(event)) return false;
    return filter.isEmpty || filter.admits(`${who(event, model)} ${event.event} ${event.message}`);
  }
}
