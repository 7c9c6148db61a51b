/** What the page remembers of this browser's user. Storage may be full or forbidden: then nothing is. */

export function recall(key, otherwise, storage = () => localStorage) {
  try {
    return JSON.parse(storage().getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(key, value, storage = () => localStorage) {
  try {
    storage().setItem(key, JSON.stringify(value));
  } catch {
    // it lasts as long as the page
  }
}
