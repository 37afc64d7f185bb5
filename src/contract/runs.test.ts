import { expect, test } from 'vitest'
import { countsKey, doneQueue, jobName, ledgerName, nodeJobId, parseOwner, runKey, runName, slotJobId } from './index.ts'

const ledger = ledgerName('default', 'assistant', 'backup')
const run = runName('default', 'assistant', 'x7k2p')

test('runs, their nodes and their logs have names of their own', () => {
  expect(run).toBe('default/assistant/run/x7k2p')
  expect(runKey('bull', run)).toBe('bull:.taskmill:run:default/assistant/run/x7k2p')
  expect(nodeJobId(run, '1f0c9b2e', 'fetch')).toBe('tm/default/assistant/run/x7k2p/1f0c9b2e/fetch')
  expect(doneQueue('default', 'assistant')).toBe('.taskmill-done/default/assistant')
})

test('an owner is parsed from its name, also a schedule that is called run', () => {
  expect(parseOwner(ledger)).toEqual({ kind: 'TaskSchedule', namespace: 'assistant', name: 'backup' })
  expect(parseOwner(run)).toEqual({ kind: 'TaskExecution', namespace: 'assistant', name: 'x7k2p' })
  const like = ledgerName('default', 'assistant', 'run')
  expect(parseOwner(like)).toEqual({ kind: 'TaskSchedule', namespace: 'assistant', name: 'run' })
  expect(slotJobId(like, 0)).not.toBe(nodeJobId(run, '1f0c9b2e', 'fetch'))
})

test('counts have a key for each subject and hour', () => {
  const place = { installation: 'default', namespace: 'assistant', subjectKind: 'Queue', subject: 'mail.high' } as const
  expect(countsKey('bull', place, 494_000)).toBe('bull:.taskmill:counts:default/assistant/Queue/mail.high:494000')
  expect(countsKey('bull', place, '')).toBe('bull:.taskmill:counts:default/assistant/Queue/mail.high:')
})

test.each([
  [['x7k2p', 'fetch'], 'x7k2p-fetch-1a2b3c4d'],
  [['nightly.2026', 'fetch'], 'nightly-2026-fetch-1a2b3c4d'],
  [['a'.repeat(63), 'fetch'], `${'a'.repeat(47)}-fetch-1a2b3c4d`],
  [['a'.repeat(63), 'b'.repeat(63)], `${'a'.repeat(26)}-${'b'.repeat(26)}-1a2b3c4d`],
  [['a'.repeat(63)], `${'a'.repeat(54)}-1a2b3c4d`],
])('the Job of %j has a readable name that pods can carry', (parts, name) => {
  expect(jobName(parts, '1a2b3c4d')).toBe(name)
  expect(name.length).toBeLessThanOrEqual(63)
})
