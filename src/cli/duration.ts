const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const
type Unit = keyof typeof units

/** `1h`, `90m`, `1d12h`, in ms; undefined for anything else, and for nothing at all. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d{1,6}[dhms])+$/u.test(text)) return undefined
  const ms = Array.from(text.matchAll(/(\d+)([dhms])/gu), ([, count, unit]) => Number(count) * units[unit as Unit]).reduce(
    (a, b) => a + b,
    0,
  )
  return ms > 0 ? ms : undefined
}

/** The two largest parts that are not 0: `1d12h`, `45m`. */
export function sayDuration(ms: number): string {
  let rest = Math.max(0, Math.round(ms / 1000) * 1000)
  const parts = Object.entries(units).flatMap(([unit, size]) => {
    const count = Math.floor(rest / size)
    rest -= count * size
    return count === 0 ? [] : [`${count}${unit}`]
  })
  return parts.length === 0 ? '0s' : parts.slice(0, 2).join('')
}
