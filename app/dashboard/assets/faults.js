/** What went wrong, in the page's language. */

import { spoken, t } from "./words.js";

const BUSY = [429, 503, 504];
/** The service's own words for a wrong field, and Korean ones. */
const KOREAN = [
  [/^is missing$/, "값이 필요합니다"],
  [/^must be greater than or equal to (.+)$/, "$1 이상이어야 합니다"],
  [/^must be less than or equal to (.+)$/, "$1 이하여야 합니다"],
  [/^must be a (finite )?number$/, "숫자여야 합니다"],
  [/^must be a whole number/, "정수여야 합니다"],
];

/** A sentence about a refusal. */
export function explained(problem) {
  if (problem.status === 0) return t("fault.service");
  if (BUSY.includes(problem.status)) return t("fault.busy");
  return t("fault.other", { detail: problem.message });
}

/** A sentence about why records are not shown. */
export function withheld(problem) {
  if (problem.status === 403) return t("fault.hidden");
  return problem.status === 404 ? t("fault.off") : explained(problem);
}

/** What is wrong with a field, to stand under it. */
export function wrong(detail) {
  const found = spoken() === "ko" && KOREAN.find(([pattern]) => pattern.test(detail));
  if (found) return detail.replace(found[0], found[1]);
  return detail.charAt(0).toUpperCase() + detail.slice(1);
}
