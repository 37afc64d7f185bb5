/** A time with six digits of a second, as Lease and Event need it: the API server refuses the three that `toISOString` writes. */
export function microTime(epochMs: number): string {
  return new Date(Math.floor(epochMs)).toISOString().replace('Z', '000Z')
}

/** The time in milliseconds; `undefined` for what is missing or no time. */
export function epochMsOf(time: string | undefined): number | undefined {
  const epochMs = time === undefined ? Number.NaN : Date.parse(time)
  return Number.isNaN(epochMs) ? undefined : epochMs
}
