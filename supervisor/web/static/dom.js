/** Small steps on the document. Whatever comes from elsewhere goes in as text, never as markup. */

/** An element with attributes ("class", "aria-label", …; null is left out) and children (nodes or texts). */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...children);
  return node;
}

export function button(text, attributes = {}) {
  return el("button", { type: "button", class: "quiet", ...attributes }, text);
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...children);
  return node;
}

/** Writes only what has changed: no flicker, and a selection stays. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** null removes the attribute. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/**
 * Elements of a parent by key, in the order in which they are wanted. An element stays the same as long as
 * its key is wanted, and is moved only if the order has changed, since moving takes its focus.
 */
export class Keyed {
  #parent;
  #make;
  #after;
  #parts = new Map();

  /** `make(key, item)` gives an object with a `node`. They follow `after`, a child that stays. */
  constructor(parent, make, after = null) {
    this.#parent = parent;
    this.#make = make;
    this.#after = after;
  }

  /** `items`: pairs of key and item. `update(part, item)` is called for each. */
  show(items, update) {
    const wanted = new Set(items.map(([key]) => key));
    for (const [key, part] of this.#parts) if (!wanted.has(key)) this.#remove(key, part);
    let cursor = this.#after ? this.#after.nextSibling : this.#parent.firstChild;
    for (const [key, item] of items) {
      const part = this.#part(key, item);
      if (part.node === cursor) cursor = cursor.nextSibling;
      else this.#parent.insertBefore(part.node, cursor);
      update(part, item);
    }
  }

  get(key) {
    return this.#parts.get(key);
  }

  values() {
    return this.#parts.values();
  }

  #part(key, item) {
    if (!this.#parts.has(key)) this.#parts.set(key, this.#make(key, item));
    return this.#parts.get(key);
  }

  #remove(key, part) {
    part.node.remove();
    part.removed?.();
    this.#parts.delete(key);
  }
}
