import { type Slot, slotTime } from '../../contract/index.ts'

/** `2026-11-29T00:00Z`; with seconds only where there are any. */
export function shortTime(slot: Slot): string {
  return slotTime(slot).replace(/:00Z$/u, 'Z')
}

/** ` (01:00 Europe/Berlin)`; nothing for UTC, which the slot is in already. */
export function localTime(slot: Slot, timeZone: string): string {
  if (timeZone === 'UTC') return ''
  const format = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  return ` (${format.format(slot * 1000)} ${timeZone})`
}
