import { expect, it } from 'vitest'
import type { Ledger, RunOutcome } from './ledger.ts'
import { parseLedger } from './stored-ledger.ts'
import { recentRuns } from './recent-runs.ts'
import { emptyLedger, withOutcome } from './transitions.ts'

const start = Date.UTC(2026, 10, 29) / 1000
const empty = emptyLedger({ everySeconds: 60 }, false, start)

function runOf(index: number, more: Partial<RunOutcome> = {}): RunOutcome {
  const slot = start + index * 60
  return {
    slot,
    succeeded: true,
    reason: 'Succeeded',
    attemptsMade: 1,
    startedAtMs: slot * 1000 + 1_500,
    finishedAtMs: slot * 1000 + 2_300,
    ...more,
  }
}
const ledgerAfter = (runs: readonly RunOutcome[]): Ledger => runs.reduce(withOutcome, empty)
const stored = (ledger: Ledger): Ledger => {
  const parsed = parseLedger(JSON.stringify(ledger))
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.ledger
}

it('keeps the ten runs that ended last, the newest end first, through the broker and back', () => {
  const runs = Array.from({ length: 25 }, (_, index) => runOf(index))
  const { recent } = stored(ledgerAfter(runs))
  expect(recentRuns(recent)).toEqual(runs.slice(15).toReversed())
})

it('knows of a run what is known of it, and keeps the order of the ends', () => {
  const { startedAtMs: _, attemptsMade: __, ...unstarted } = runOf(1)
  const pending = { ...unstarted, succeeded: false, reason: 'PendingDeadlineExceeded' } as const
  const skipped = { ...unstarted, slot: start, reason: 'Skipped' } as const
  expect(recentRuns(stored(ledgerAfter([pending, skipped])).recent)).toEqual([skipped, pending])
  expect(recentRuns(stored(empty).recent)).toEqual([])
})

it('takes less than 450 bytes of a ledger', () => {
  const runs = Array.from({ length: 10 }, (_, index) =>
    runOf(index, { reason: 'PendingDeadlineExceeded', succeeded: false, attemptsMade: 100 }),
  )
  expect(ledgerAfter(runs.map((run) => ({ ...run, reason: 'Succeeded' as const }))).recent?.length).toBeLessThan(450)
  // A name of 24 letters is the longest reason.
  expect(ledgerAfter(runs).recent?.length).toBeLessThan(650)
})

it.each(['{}', '[1]', '[[1]]', '[[1,"Nonsense",1,1,1]]', '[[1,"Succeeded",1,"x",1]]'])(
  'a ledger with the history %s cannot be read',
  (recent) => {
    const document = JSON.stringify({ ...empty, recent: JSON.parse(recent) as unknown })
    expect(parseLedger(document)).toMatchObject({ ok: false, message: expect.stringContaining('recent') })
  },
)

it('keeps the result of the last success only', () => {
  const first = ledgerAfter([runOf(0, { result: '{"items":3}' })])
  expect([first.lastSuccess?.result, first.lastRun?.result]).toEqual(['{"items":3}', undefined])
  expect(stored(withOutcome(first, runOf(1))).lastSuccess).not.toHaveProperty('result')
  expect(stored(first).lastSuccess?.result).toBe('{"items":3}')
})
