/** When to come back, of several moments that may each call for it; undefined ones do not. */
export function soonest(delays: readonly (number | undefined)[]): { readonly requeueAfterMs?: number } {
  const known = delays.filter((delay) => delay !== undefined)
  return known.length === 0 ? {} : { requeueAfterMs: Math.min(...known) }
}
