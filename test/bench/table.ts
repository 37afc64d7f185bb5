/** Figures of a benchmark as people read them. */
export type Percentiles = { readonly p50: number; readonly p95: number; readonly p99: number; readonly count: number }

/** By the nearest-rank method: each figure is a value that was measured. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: values.length }
}

/** One line each for us and the peer, then peer / us: above 1 we are faster. */
export function printComparison(title: string, unit: string, ours: readonly number[], peer: readonly number[], peerName: string): void {
  const [a, b] = [percentiles(ours), percentiles(peer)]
  const cell = (value: number): string => (value < 0.1 ? value.toFixed(4) : value < 10 ? value.toFixed(2) : value.toFixed(0)).padStart(9)
  const row = (name: string, { p50, p95, p99 }: Omit<Percentiles, 'count'>): string =>
    `  ${name.padEnd(28)}${cell(p50)}${cell(p95)}${cell(p99)}`
  console.log(`\n${title} (${unit}, ${a.count} rounds)`)
  console.log(`  ${''.padEnd(28)}${'p50'.padStart(9)}${'p95'.padStart(9)}${'p99'.padStart(9)}`)
  console.log(row('taskmill', a))
  console.log(row(peerName, b))
  console.log(row(`${peerName} / taskmill`, { p50: b.p50 / a.p50, p95: b.p95 / a.p95, p99: b.p99 / a.p99 }))
}
