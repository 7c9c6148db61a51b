/** The page's first line: how many there are and how they are; and what to do when there is none. */

import { el, setHidden, setText } from "./dom.js";
import { count } from "./format.js";
import { isTrouble, isUp } from "./state.js";

export class Summary {
  #counts = el("span");
  #troubles = el("strong", { class: "bad" });
  #empty;

  constructor(parent, empty) {
    parent.append(this.#counts, this.#troubles);
    empty.append(
      el("h2", {}, "No instance is up"),
      el("p", {}, "Start one in the folder of a services.toml, and it appears here by itself:"),
      el("pre", {}, el("code", {}, "portsup up")),
      el("p", {}, "No services.toml yet? ", el("code", {}, "portsup init"), " writes one."),
    );
    this.#empty = empty;
  }

  show(model) {
    const services = model.services().map(({ service }) => service);
    const up = services.filter(isUp).length;
    const troubles = services.filter(isTrouble).length;
    const many = `${count(model.instances.length, "instance")} · ${up} of ${count(services.length, "service")} up`;
    setText(this.#counts, model.instances.length ? many : "nothing is up");
    setText(this.#troubles, troubles ? `✖ ${troubles} in trouble` : "");
    setHidden(this.#empty, model.instances.length > 0);
  }
}
