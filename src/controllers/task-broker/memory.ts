import type { BrokerInfo } from '../../broker/index.ts'

const mebibyte = 2 ** 20
const units = ['Ki', 'Mi', 'Gi', 'Ti'] as const

/**
 * `1.2Mi/256Mi`: used, and the limit where there is one. Stays as it was until it differs by a fiftieth of the limit (without one, a tenth
 * of itself), 1 MiB at least: an idle server's memory breathes, and nothing is to be written because of that.
 */
export function memoryText({ usedMemoryBytes, maxMemoryBytes = 0 }: BrokerInfo, before: string | undefined): string | undefined {
  if (usedMemoryBytes === undefined) return undefined
  const limit = maxMemoryBytes > 0 ? `/${bytesText(maxMemoryBytes)}` : ''
  const [usedBefore = '', limitBefore] = before?.split('/') ?? []
  const notable = Math.max(mebibyte, maxMemoryBytes > 0 ? maxMemoryBytes / 50 : usedMemoryBytes / 10)
  const isSameLimit = limit === (limitBefore === undefined ? '' : `/${limitBefore}`)
  if (before !== undefined && isSameLimit && Math.abs(bytesOf(usedBefore) - usedMemoryBytes) < notable) return before
  return `${bytesText(usedMemoryBytes)}${limit}`
}

function bytesText(bytes: number): string {
  const power = Math.min(units.length, Math.max(1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)))
  const value = bytes / 1024 ** power
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)}${units[power - 1] ?? ''}`
}

function bytesOf(text: string): number {
  const [, value = '', unit = ''] = /^([\d.]+)(\w+)$/u.exec(text) ?? []
  const power = units.findIndex((each) => each === unit) + 1
  return power === 0 ? Number.NaN : Number(value) * 1024 ** power
}
