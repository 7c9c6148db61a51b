/** The panel with one service's log: follows, searches, copies. */

import { button, el, setAttribute, setHidden, setText } from "./dom.js";
import { count, grouped } from "./format.js";
import { LogLines, Search } from "./log_lines.js";
import { LogStream } from "./log_stream.js";
import { LogView } from "./log_view.js";
import { recall, remember } from "./memory.js";

const TIMES = "portsup.times";

export class LogPanel {
  #parent;
  #tools;
  #open = null;
  #opener = null;

  /** `parent`: the section. `tools`: {api}. */
  constructor(parent, tools) {
    this.#parent = parent;
    this.#tools = tools;
    document.addEventListener("themechange", () => this.#open?.view.redraw());
  }

  get isOpen() {
    return this.#open !== null;
  }

  /** `opener` gets the focus back. */
  open(whose, opener) {
    this.#open?.close();
    this.#opener = opener;
    this.#open = new OpenLog(whose, this.#tools, () => this.close());
    this.#parent.replaceChildren(...this.#open.nodes);
    setHidden(this.#parent, false);
    document.body.classList.add("with-log");
    this.#open.start();
  }

  close() {
    if (!this.#open) return;
    this.#open.close();
    this.#open = null;
    setHidden(this.#parent, true);
    this.#parent.replaceChildren();
    document.body.classList.remove("with-log");
    (this.#opener?.isConnected ? this.#opener : document.getElementById("services")).focus();
  }

  focusSearch() {
    this.#open?.focusSearch();
  }
}

class OpenLog {
  #lines = new LogLines();
  #search = null;
  #hit = null;
  #timer = null;
  #stream;
  #input = el("input", {
    type: "search", placeholder: "Search  /", "aria-label": "Search in the log", autocomplete: "off",
    spellcheck: "false",
  });
  #found = el("output", { class: "found" });
  #previous = button("↑", { "aria-label": "Previous match", title: "Previous match (Shift+Enter)" });
  #next = button("↓", { "aria-label": "Next match", title: "Next match (Enter)" });
  #times = button("Times", { "aria-pressed": "true" });
  #copy = button("Copy", { title: "Copy every line, without colours" });
  #end = button("↓ Jump to the end", { class: "to-end", hidden: "" });
  #status = el("p", { class: "log-status", role: "status" });
  #count = el("span", { class: "log-count" });

  constructor({ instance, service }, { api }, onClose) {
    const close = button("Close", { title: "Close (Escape)" });
    close.addEventListener("click", onClose);
    this.view = new LogView(this.#lines, (isFollowing) => setHidden(this.#end, isFollowing));
    this.nodes = [
      el(
        "header",
        {},
        el("h2", { id: "log-title" }, `${service.name} `, el("small", {}, `${instance.stack} ${instance.instance}`)),
        this.#count,
        el("div", { class: "search" }, this.#input, this.#found, this.#previous, this.#next),
        this.#times,
        this.#copy,
        close,
      ),
      this.#status,
      el("div", { class: "lines-and-more" }, this.view.node, this.#end),
    ];
    this.#stream = new LogStream(api, { instance, service }, {
      begin: () => this.#begin(),
      lines: (lines) => this.#add(lines),
      lost: () => this.#tell("Connection lost, retrying…"),
      refused: (refusal) => this.#tell([refusal.message, ...refusal.details, refusal.hint].filter(Boolean).join(" · ")),
    });
    this.#listen();
    this.#showTimes(recall(TIMES, true));
  }

  #listen() {
    this.#input.addEventListener("input", () => this.#start());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#go(event.shiftKey ? -1 : 1);
    });
    this.#previous.addEventListener("click", () => this.#go(-1));
    this.#next.addEventListener("click", () => this.#go(1));
    this.#end.addEventListener("click", () => {
      this.view.follow();
      this.view.node.focus();
    });
    this.#times.addEventListener("click", () => this.#showTimes(this.#times.getAttribute("aria-pressed") !== "true"));
    this.#copy.addEventListener("click", () => this.#copyAll());
  }

  start() {
    this.view.node.focus();
    this.#stream.run();
  }

  close() {
    this.#stream.close();
    this.view.close();
    clearTimeout(this.#timer);
  }

  focusSearch() {
    this.#input.focus();
    this.#input.select();
  }

  /** A new connection tells everything again. */
  #begin() {
    this.#tell("");
    this.#lines.clear();
    this.#add([]);
  }

  #add(lines) {
    const gone = this.#lines.push(lines);
    this.view.changed(gone);
    const { dropped } = this.#lines;
    const told = dropped ? `, ${grouped(dropped)} older dropped` : "";
    setText(this.#count, `${count(this.#lines.count, "line")}${told}`);
    if (this.#search && this.#timer === null) this.#look();
  }

  #tell(text) {
    setText(this.#status, text);
  }

  #showTimes(isShown) {
    setAttribute(this.#times, "aria-pressed", isShown ? "true" : "false");
    this.view.node.classList.toggle("without-times", !isShown);
    remember(TIMES, isShown);
  }

  async #copyAll() {
    try {
      await navigator.clipboard.writeText(this.#lines.text());
      this.#tell(`Copied ${count(this.#lines.count, "line")}.`);
    } catch {
      this.#tell("The browser doesn’t let this page copy.");
    }
  }

  // The search

  #start() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#hit = null;
    this.#search = this.#input.value ? new Search(this.#lines, this.#input.value) : null;
    this.view.redraw(this.#search, null);
    if (this.#search) this.#look();
    else setText(this.#found, "");
  }

  /** A stretch now, the rest after the page had its turn. */
  #look() {
    const isThrough = this.#search.step();
    this.#timer = isThrough ? null : setTimeout(() => this.#look(), 0);
    if (this.#hit === null && this.#search.hits.length) this.#goFirst(isThrough);
    this.#showFound(isThrough);
  }

  /** The first one from where the reader is, else the last one before it. */
  #goFirst(isThrough) {
    const index = this.#search.indexFrom(this.view.top);
    if (index < this.#search.hits.length) this.#show(index);
    else if (isThrough) this.#show(this.#search.hits.length - 1);
  }

  #go(step) {
    const hits = this.#search?.hits ?? [];
    if (!hits.length) return;
    const at = this.#hit === null ? 0 : this.#search.indexFrom(this.#hit) + step;
    this.#show((at + hits.length) % hits.length);
    this.#showFound(this.#timer === null);
  }

  #show(index) {
    this.#hit = this.#search.hits[index];
    this.view.redraw(this.#search, this.#hit);
    this.view.reveal(this.#hit);
  }

  #showFound(isThrough) {
    const { hits } = this.#search;
    const at = this.#hit === null ? 0 : this.#search.indexFrom(this.#hit) + 1;
    setText(this.#found, `${grouped(at)} of ${grouped(hits.length)}${isThrough ? "" : "…"}`);
  }
}
