/** Requests that need the token; whoever has none yet is asked for it. */

/** An answer that is a refusal: the error's own words. */
export class Refused extends Error {
  constructor(status, { error, details, hint, services }) {
    super(error ?? whereItIs(services) ?? `the server answered ${status}`);
    this.status = status;
    this.details = details ?? [];
    this.hint = hint ?? null;
  }
}

/** Of an action that was carried out, after which the service isn't where it was to go. */
function whereItIs(services) {
  if (!services?.length) return null;
  return services.map(({ name, state, reason }) => `${name} is ${state}${reason ? `: ${reason}` : ""}`).join("; ");
}

export class Api {
  #token;

  /** `token`: {value, ask(refusal) → whether there is another one now}. */
  constructor(token) {
    this.#token = token;
  }

  /** The response, once it is no refusal. Raises Refused; TypeError if there is no server. */
  async request(path, options = {}) {
    for (;;) {
      const response = await fetch(path, { ...options, headers: this.#headers() });
      if (response.status !== 401) this.#token.worked();
      if (response.ok) return response;
      const refusal = new Refused(response.status, await words(response));
      if (response.status !== 401 || !(await this.#token.ask(refusal))) throw refusal;
    }
  }

  #headers() {
    return this.#token.value === null ? {} : { Authorization: `Bearer ${this.#token.value}` };
  }
}

async function words(response) {
  try {
    return (await response.json()) ?? {};
  } catch {
    return {};
  }
}

/** Where a service of one exact instance is asked for something. */
export function servicePath(instance, name, what) {
  const number = encodeURIComponent(instance.instance);
  const id = encodeURIComponent(instance.instance_id);
  return `/api/v1/instances/${number}/services/${encodeURIComponent(name)}/${what}?id=${id}`;
}
