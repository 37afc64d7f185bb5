/** Figures of a benchmark as people read them. */
export type Percentiles = { readonly p50: number; readonly p95: number; readonly p99: number; readonly count: number }

/** By the nearest-rank method: each figure is a value that was measured. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: values.length }
}

/** What was measured of one of the compared; `more` are cells for the columns of its own that the table has. */
export type Row = { readonly name: string; readonly values: readonly number[]; readonly more?: readonly string[] }

/** One line each for us and the peer, then peer / us: above 1 we are faster. */
export function printComparison(title: string, unit: string, ours: readonly number[], peer: readonly number[], peerName: string): void {
  printRows(`${title} (${unit}, ${ours.length} rounds)`, [{ name: 'taskmill', values: ours }], { name: peerName, values: peer })
}

/** Any number of lines for us, one for the peer, and peer / us for each of ours. */
export function printRows(title: string, ours: readonly Row[], peer: Row, moreColumns: readonly string[] = []): void {
  const columns = ['p50', 'p95', 'p99', ...moreColumns]
  const ratios = ours.map(({ name, values }): readonly [string, readonly number[]] => {
    const [a, b] = [percentiles(values), percentiles(peer.values)]
    return [`${peer.name} / ${name}`, [b.p50 / a.p50, b.p95 / a.p95, b.p99 / a.p99]]
  })
  const rows = [...ours, peer].map(({ name, values, more = [] }): readonly [string, readonly string[]] => {
    const { p50, p95, p99 } = percentiles(values)
    return [name, [...[p50, p95, p99].map(figure), ...more]]
  })
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['', columns],
    ...rows,
    ...ratios.map(([name, cells]): readonly [string, readonly string[]] => [name, cells.map(figure)]),
  ]
  const nameWidth = Math.max(28, ...lines.map(([name]) => name.length + 1))
  const cellWidth = Math.max(9, ...moreColumns.map((column) => column.length + 2))
  console.log(`\n${title}`)
  for (const [name, cells] of lines) {
    const padded = cells.map((cell, index) => cell.padStart(index < 3 ? 9 : cellWidth))
    console.log(`  ${name.padEnd(nameWidth)}${padded.join('')}`)
  }
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value < 0.1 ? value.toFixed(4) : value < 10 ? value.toFixed(2) : value.toFixed(0)
}
