/** The API's token: out of the address's fragment, or asked for when it is needed. */

import { el, setHidden, setText } from "./dom.js";
import { recall, remember } from "./memory.js";

const KEY = "portsup.token";
const session = () => sessionStorage;

/** From `#token=…`, which leaves the address and its history at once. */
function fromAddress() {
  const found = /^#token=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1];
  if (found === undefined) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return found;
}

export class Token {
  value = fromAddress() ?? recall(KEY, null, session);
  #dialog;
  #why = el("p", { id: "token-why" });
  #wrong = el("p", { class: "wrong", role: "alert" });
  #input = el("input", {
    type: "password", id: "token-input", autocomplete: "off", spellcheck: "false", required: "",
    "aria-describedby": "token-why",
  });
  #asking = null;
  #tried = null;

  constructor(dialog) {
    this.#dialog = dialog;
    if (this.value !== null) remember(KEY, this.value, session);
    dialog.append(this.#form());
    dialog.addEventListener("close", () => this.#closed());
  }

  #form() {
    const form = el(
      "form",
      { method: "dialog" },
      el("h2", { id: "token-title" }, "The token, please"),
      this.#why,
      el("label", { for: "token-input" }, "Token"),
      this.#input,
      this.#wrong,
      el(
        "div",
        { class: "buttons" },
        el("button", { value: "cancel", formnovalidate: "", class: "quiet" }, "Cancel"),
        el("button", { value: "use", class: "main" }, "Use it"),
      ),
    );
    // Enter presses the first button of a form, and that would be "Cancel".
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (this.#input.value.trim()) this.#dialog.close("use");
    });
    return form;
  }

  /** Whether there is another token now than the one that `refusal` was about. */
  ask(refusal) {
    this.#asking ??= this.#open(refusal);
    return this.#asking.promise;
  }

  #open(refusal) {
    let resolve;
    const promise = new Promise((settle) => (resolve = settle));
    setText(this.#why, `${sentence(refusal.message)} Print it with cat; it is kept until this tab closes.`);
    setText(this.#wrong, this.#tried === null ? "" : "That was not it.");
    setHidden(this.#wrong, this.#tried === null);
    this.#input.value = "";
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#input.focus();
    return { promise, resolve };
  }

  #closed() {
    const given = this.#input.value.trim();
    const isGiven = this.#dialog.returnValue === "use" && given !== "";
    this.#input.value = "";
    this.#tried = isGiven ? given : null;
    if (isGiven) {
      this.value = given;
      remember(KEY, given, session);
    }
    const asking = this.#asking;
    this.#asking = null;
    asking?.resolve(isGiven);
  }

  /** The last answer was no refusal. */
  worked() {
    this.#tried = null;
  }
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
