// Whether a promised share is kept, as far as what was seen can tell.

const SIGNS = { kept: "check", missed: "warning", unsure: "question" };

/** Return "kept", "missed", "unsure", or "" where nothing is promised or nothing can be said. */
export function verdict(rate, goal) {
  if (!rate || !goal) return "";
  const [, low, high] = rate;
  if (goal.below) return high < goal.limit ? "kept" : low >= goal.limit ? "missed" : "unsure";
  return low >= goal.limit ? "kept" : high < goal.limit ? "missed" : "unsure";
}

/** Return the promises that the tiles and the services are held against. */
export function promises(goals) {
  const below = (limit) => (limit == null ? null : { limit, below: true });
  const least = (limit) => (limit == null ? null : { limit, below: false });
  return { lost: below(goals.lost_below), within: least(goals.within_at_least) };
}

export const sign = (said) => SIGNS[said] ?? "none";
