import { describe, expect, it } from 'vitest'
import { newestDecidedSlot, type Ledger } from './ledger.ts'
import { parseLedger, timedBy, versionedFor } from './stored-ledger.ts'
import type { Timing } from './timing.ts'

const full: Ledger = {
  v: 1,
  timing: { schedules: ['0 1 * * 0'], timeZone: 'Europe/Berlin', suspended: false },
  cursor: 100,
  open: [
    { slot: 200, state: 'Placed', generation: 'a/mail', epoch: 3, dueAt: 230 },
    { slot: 201, state: 'Revoking', generation: 'a/mail', epoch: 3, isCounted: true },
  ],
  active: [
    { slot: 100, generation: 'a/mail', dueAt: 100, dispatchedAtMs: 100_250.5 },
    {
      slot: 101,
      generation: 'a/.job',
      dispatchedAtMs: 101_000,
      ending: { reason: 'RunDeadlineExceeded', message: 'not ended within 5 s' },
    },
  ],
  dispatched: 7,
  lastDispatched: { slot: 100, dueAt: 100, atMs: 100_250 },
  lastRun: {
    slot: 0,
    succeeded: false,
    reason: 'AttemptsExhausted',
    message: 'timeout',
    attemptsMade: 4,
    attempts: 4,
    worker: 'w',
    finishedAtMs: 9,
  },
  lastFailure: { slot: 0, succeeded: false, reason: 'AttemptsExhausted', finishedAtMs: 9 },
  consecutiveFailures: 1,
  missed: { Overlap: { count: 2, lastSlot: 50 }, Superseded: { count: 99, lastSlot: 40, isLowerBound: true } },
  settledAtMs: 41_000,
  regressedAtMs: 40_000,
}

const damaged = (change: Record<string, unknown>): string => JSON.stringify({ ...full, ...change })

describe('a stored ledger', () => {
  it('is read as it was written', () => {
    expect(parseLedger(JSON.stringify(full))).toEqual({ ok: true, ledger: full })
  })

  it('may have fields of a later version', () => {
    const later = { ...full, colour: 'red', open: full.open.map((open) => ({ ...open, size: 3 })) }
    expect(parseLedger(JSON.stringify(later))).toEqual({ ok: true, ledger: full })
  })

  // An operator that knows only version 1 refuses a ledger of version 2; without that it would dispatch by a part of the timing.
  it.each<[Timing, 1 | 2]>([
    [{ schedules: ['0 1 * * 0'], timeZone: 'Europe/Berlin' }, 1],
    [{ everySeconds: 60 }, 1],
    [{ everySeconds: 60, offsetSeconds: 5 }, 2],
    [{ everySeconds: 60, calendars: { rules: '12ab' } }, 2],
    [{ everySeconds: 60, calendars: { rules: '12ab', files: '34cd' } }, 2],
    [{ schedules: ['0 1 * * 0'], timeZone: 'Europe/Berlin', calendars: { rules: '12ab' } }, 2],
    [{ at: [100, 200] }, 2],
    [{ schedules: ['0 1 * * 0'], timeZone: 'Europe/Berlin', dst: { gap: 'Skip', overlap: 'Both' } }, 2],
    [{ everySeconds: 60, startTime: 100, endTime: 200, maxRuns: 3 }, 2],
    [{ everySeconds: 60, jitterSeconds: 30 }, 2],
  ])('with the timing %j has the version %i, and is read as it was written', (timing, v) => {
    const ledger = { ...full, ...timedBy(timing, true) }
    expect(ledger.v).toBe(v)
    expect(parseLedger(JSON.stringify(ledger))).toEqual({ ok: true, ledger: { ...full, v, timing: { ...timing, suspended: true } } })
  })

  // An operator that knows only version 2 refuses a ledger with a group; without that it would start runs that the group does not count.
  it('has version 3 as long as it has a concurrency group', () => {
    const group = { name: 'warehouse', limit: 3 }
    const grouped = versionedFor(full, { concurrencyPolicy: 'Queue', group })
    expect(grouped).toEqual({ ...full, v: 3, group: 'warehouse' })
    expect(parseLedger(JSON.stringify(grouped))).toEqual({ ok: true, ledger: grouped })
    expect(versionedFor(grouped, { concurrencyPolicy: 'Queue' })).toEqual({ ...full, v: 2 })
    expect(versionedFor(grouped, { concurrencyPolicy: 'Allow' })).toEqual(full)
  })

  it.each([
    ['no JSON', '{', /cannot be read/u],
    ['a later format', damaged({ v: 4 }), /v is 4, but only 1 to 3 are supported/u],
    ['a broken version', damaged({ v: 1.5 }), /v is 1.5, but only 1 to 3 are supported/u],
    ['no cursor', damaged({ cursor: null }), /cursor is not a number/u],
    [
      'an unknown state',
      damaged({ open: [{ slot: 1, state: 'Lost', generation: 'a', epoch: 1 }] }),
      /open\.state is "Lost", but must be one of/u,
    ],
    [
      'an unknown reason to end a run',
      damaged({ active: [{ ...full.active[1], ending: { reason: 'Later', message: '' } }] }),
      /active\.ending\.reason is "Later", but must be one of|ending\.reason is "Later", but must be one of/u,
    ],
    ['no list', damaged({ active: {} }), /active is not a list/u],
    ['no timing', damaged({ timing: { suspended: false } }), /timing\.schedules is not a list/u],
    ['a list', '[]', /the document is not an object/u],
  ])('is refused: %s', (_, document, message) => {
    expect(parseLedger(document)).toEqual({ ok: false, message: expect.stringMatching(message) as unknown })
  })

  it('returns the newest decided slot', () => {
    expect(newestDecidedSlot(full)).toBe(100)
    expect(newestDecidedSlot({ ...full, open: [{ slot: 300, state: 'Final', generation: 'a', epoch: 1 }] })).toBe(300)
    expect(newestDecidedSlot({ ...full, lastDispatched: { slot: 150, atMs: 0 } })).toBe(150)
  })
})
