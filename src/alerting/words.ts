/** Durations, moments and counts as texts. A text stays the same while nothing happens, so that no status is written because time passes. */

/** `90s`, `5m`, `1h30m`, `7d`: exact, and as short as that allows. */
export function duration(seconds: number): string {
  if (seconds < 120 && seconds % 60 !== 0) return `${seconds}s`
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const
  const shown = parts.filter(([count]) => count > 0)
  return shown.length === 0 ? '0s' : shown.map(([count, unit]) => `${count}${unit}`).join('')
}

/** `2026-11-29T02:51:10Z`. */
export function momentOf(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')
}

/** `1 job`, `1,200 jobs`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/gu, ',')} ${count === 1 ? one : many}`
}
