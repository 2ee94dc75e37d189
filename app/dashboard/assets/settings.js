/** Stores the user's choices (language, theme, reviewer), and tells all views of changes. */

/** @typedef {"language" | "theme" | "reviewer" | "subject" | "target"} Name */

/** What the browser keeps of it. What is graded, and as what, is the served bundle's. */
const KEPT = /** @type {const} */ (["language", "theme", "reviewer"]);

export class Settings {
  #storage;
  /** @type {Map<Name, string>} */
  #values = new Map();
  /** @type {Set<(name: Name) => void>} */
  #listeners = new Set();

  /** @param {() => Storage} storage throws where the browser keeps nothing */
  constructor(storage) {
    this.#storage = storage;
    for (const name of KEPT) this.#restore(name);
  }

  /** @param {Name} name */
  get(name) {
    return this.#values.get(name) ?? null;
  }

  /**
   * @param {Name} name
   * @param {string} value
   */
  set(name, value) {
    if (this.get(name) === value) return;
    this.#values.set(name, value);
    this.#keep(name, value);
    for (const listener of this.#listeners) listener(name);
  }

  /**
   * @param {(name: Name) => void} listener told what has changed, after each change
   * @returns {() => void} ends it
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param {Name} name */
  #restore(name) {
    try {
      const value = this.#storage().getItem(`dubito.${name}`);
      if (value !== null) this.#values.set(name, value);
    } catch {
      // A browser that keeps nothing shows the page all the same.
    }
  }

  /**
   * @param {Name} name
   * @param {string} value
   */
  #keep(name, value) {
    if (name === "subject" || name === "target") return;
    try {
      this.#storage().setItem(`dubito.${name}`, value);
    } catch {
      // Then it holds until the page is closed.
    }
  }
}

export const settings = new Settings(() => localStorage);
