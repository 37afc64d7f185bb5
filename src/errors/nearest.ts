/** Returns the known word with the fewest letters to correct, if there are few enough. */
export function findNearest(word: string, known: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 4))
  const [best] = known
    .map((each) => ({ each, distance: distanceOf(word.toLowerCase(), each.toLowerCase()) }))
    .filter(({ distance }) => distance <= most)
    .toSorted((a, b) => a.distance - b.distance)
  return best?.each
}

/** Counts the letters to insert, remove, replace, or swap with their neighbour. */
function distanceOf(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const isSwapped = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j]
      const swapped = isSwapped ? (before[j - 1] ?? 0) + 1 : Infinity
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1), swapped))
    }
    ;[before, row] = [row, next]
  }
  return row.at(-1) ?? 0
}

/** Returns `; did you mean "email"?` if a known word is close, otherwise an empty text. */
export function suggestName(word: string, known: readonly string[]): string {
  const meant = findNearest(word, known)
  return meant === undefined ? '' : `; did you mean "${meant}"?`
}
