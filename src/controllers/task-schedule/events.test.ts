import { expect, it } from 'vitest'
import type { Change, Ledger } from '../../scheduling/index.ts'
import { changeEvents } from './events.ts'
import type { UnreportedMisses } from './gather.ts'

const slot = Date.UTC(2026, 10, 15) / 1000
const ledger: Ledger = {
  v: 1,
  timing: { everySeconds: 60, suspended: false },
  cursor: slot,
  open: [],
  active: [{ slot: slot - 60, dispatchedAtMs: 0, generation: 'a/b' }],
  dispatched: 1,
  consecutiveFailures: 0,
  missed: {},
}
const missed = (count: number, lastSlot: number): Change => ({ kind: 'Missed', reason: 'Overlap', count, lastSlot })

it('tells the first missed slot of a reason at once, and the others ten minutes later in one', () => {
  const unreported: UnreportedMisses = new Map()
  const notesAt = (changes: readonly Change[], nowMs: number) => changeEvents(changes, ledger, unreported, nowMs).map(({ note }) => note)
  expect(notesAt([missed(1, slot)], 0)).toEqual(['slot 2026-11-15T00:00Z: Overlap, run 2026-11-14T23:59Z is active'])
  expect(notesAt([missed(1, slot + 60)], 60_000)).toEqual([])
  expect(notesAt([missed(2, slot + 180)], 599_000)).toEqual([])
  expect(notesAt([missed(1, slot + 600)], 600_000)).toEqual([
    '4 slots, the newest 2026-11-15T00:10Z: Overlap, run 2026-11-14T23:59Z is active',
  ])
})

it('tells each failure and nothing of a success', () => {
  const run = { slot, succeeded: false, reason: 'AttemptsExhausted', message: 'timeout', finishedAtMs: 0 } as const
  const changes: readonly Change[] = [
    { kind: 'RunEnded', run },
    { kind: 'RunEnded', run: { ...run, succeeded: true, reason: 'Succeeded' } },
    { kind: 'Dispatched', slot, atMs: 0 },
  ]
  const events = changeEvents(changes, ledger, new Map(), 0)
  expect(events).toMatchObject([{ type: 'Warning', reason: 'RunFailed', note: 'AttemptsExhausted: slot 2026-11-15T00:00Z: "timeout"' }])
})
