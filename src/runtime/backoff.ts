/** How long a key waits after its n-th failure in a row (n starts at 0). */
export type BackoffOptions = {
  /** After the first failure. Default 5 ms. */
  readonly firstMs?: number
  /** Never longer than this. Default 1000 s. */
  readonly capMs?: number
  /** Share of the pause that is random: with 0.2 a pause of 10 s is between 8 s and 10 s. Default 0. */
  readonly jitter?: number
}

/** `firstMs`, doubled with each failure up to `capMs`; `random` is within 0..1 and only matters with jitter. */
export function backoffMs(failures: number, { firstMs = 5, capMs = 1_000_000, jitter = 0 }: BackoffOptions, random: number): number {
  const fullMs = Math.min(firstMs * 2 ** Math.min(failures, 60), capMs)
  return fullMs * (1 - jitter * random)
}
