/** Which services and events are shown: those in which every word of the filter occurs somewhere. */
export class Filter {
  #words;

  constructor(text) {
    this.#words = text.toLowerCase().split(/\s+/).filter(Boolean);
  }

  get isEmpty() {
    return this.#words.length === 0;
  }

  /** Those of an instance. */
  services(instance) {
    if (this.isEmpty) return instance.services;
    const place = `${instance.stack} ${instance.worktree ?? ""} instance ${instance.instance} ${instance.state}`;
    return instance.services.filter(({ name, state, port }) => this.admits(`${place} ${name} ${state} ${port}`));
  }

  admits(text) {
    const lower = text.toLowerCase();
    return this.#words.every((word) => lower.includes(word));
  }
}
