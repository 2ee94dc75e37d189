/** What the browser remembers of its user: language, theme and a reviewer's name. Nothing else. */

/** @param {"language"|"theme"|"reviewer"} name */
export function remembered(name) {
  try {
    return localStorage.getItem(`dubito.${name}`);
  } catch {
    return null;
  }
}

/** @param {"language"|"theme"|"reviewer"} name */
export function remember(name, value) {
  try {
    localStorage.setItem(`dubito.${name}`, value);
  } catch {
    // A browser that remembers nothing shows the page all the same.
  }
}
