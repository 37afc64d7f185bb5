/**
 * The memory behind the scale-down window, as in the HorizontalPodAutoscaler: replicas fall only to the highest recommendation of the
 * last window. Evaluations come with events, not at a fixed pace, so a recommendation counts as held until the next one replaces it.
 *
 * Kept as a queue that falls from head to tail: an entry that is followed by an equal or higher one can never be the maximum again, so
 * memory is bounded by the number of distinct falling steps within a window, and every operation is O(1) amortised.
 */
export type Recommendation = {
  readonly replicas: number
  /** The last moment (Unix ms) at which this was recommended. */
  readonly untilMs: number
}

export type RecommendationHistory = {
  /** Falling in replicas, rising in time; the last entry is the current recommendation. */
  readonly entries: readonly Recommendation[]
}

export const emptyHistory: RecommendationHistory = { entries: [] }

/** Records that `replicas` is recommended from `nowMs` on, and that the one before was held until now. */
export function recordRecommendation(
  history: RecommendationHistory,
  replicas: number,
  nowMs: number,
  windowMs: number,
): RecommendationHistory {
  const last = history.entries.at(-1)
  const held = last === undefined ? history.entries : push(history.entries, { replicas: last.replicas, untilMs: nowMs })
  const entries = push(held, { replicas, untilMs: nowMs })
  return { entries: entries.filter((entry, index) => index === entries.length - 1 || entry.untilMs > nowMs - windowMs) }
}

/** The highest recommendation of the window, and when it stops counting (undefined when it is the current one). */
export function stabilizedReplicas(
  history: RecommendationHistory,
  windowMs: number,
): { readonly replicas: number; readonly untilMs?: number } {
  const [head, ...rest] = history.entries
  if (head === undefined) return { replicas: 0 }
  return rest.length === 0 ? { replicas: head.replicas } : { replicas: head.replicas, untilMs: head.untilMs + windowMs }
}

function push(entries: readonly Recommendation[], next: Recommendation): readonly Recommendation[] {
  const kept = entries.filter((entry) => entry.replicas > next.replicas)
  return [...kept, next]
}
