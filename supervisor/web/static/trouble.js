/** Makes trouble known to who doesn't look at the page, or can't: title, icon, announcements. */

import { setAttribute, setText } from "./dom.js";
import { reasonOf } from "./service_row.js";

export class Trouble {
  #icon = document.querySelector("link[rel=icon]");
  #announcer;

  constructor(announcer) {
    this.#announcer = announcer;
  }

  show(hasTrouble) {
    const title = hasTrouble ? "(!) portsup" : "portsup";
    if (document.title !== title) document.title = title;
    setAttribute(this.#icon, "href", hasTrouble ? "/static/favicon-trouble.svg" : "/static/favicon.svg");
  }

  /** `found`: [{instance, service}, …] that are new in trouble. */
  announce(found) {
    if (found.length) setText(this.#announcer, found.map(sentence).join(" "));
  }
}

function sentence({ instance, service }) {
  const reason = reasonOf(service);
  const what = service.shield === "lost" ? "lost its shield" : "failed";
  return `${service.name} of ${instance.stack} ${instance.instance} ${what}${reason ? `: ${reason}` : ""}.`;
}
