/** Text in columns: what the demo's views are made of. Pure. */

/** A header and always as many rows; all columns but the last have a width. */
export function table(
  width: number,
  widths: readonly number[],
  header: readonly string[],
  count: number,
  rows: readonly (readonly string[])[],
): readonly string[] {
  const text = (cells: readonly string[]): string =>
    fit(cells.map((cell, index) => fit(cell, (widths[index] ?? width) - 1).padEnd(widths[index] ?? 0)).join(''), width - 3).trimEnd()
  const shown = Array.from({ length: count }, (_, index) => rows[index] ?? [])
  return [`  ${bold(text(header))}`, ...shown.map((row) => `  ${text(row)}`)]
}

export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}

export function bold(text: string): string {
  return `\u001b[1m${text}\u001b[0m`
}

/** `01:07`. */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}

/** `350 ms`, `2.2 s`; between two moments of which one may not have been seen. */
export function span(fromMs: number | undefined, toMs: number | undefined): string {
  if (fromMs === undefined || toMs === undefined) return 'not seen'
  const ms = toMs - fromMs
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`
}
