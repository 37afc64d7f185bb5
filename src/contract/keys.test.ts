import { QueueKeys } from 'bullmq'
import { describe, expect, it } from 'vitest'
import {
  countedKey,
  countsKey,
  dispatcherKey,
  groupsKey,
  ledgerKey,
  ownersKey,
  queueKey,
  queueKeys,
  queueNamePattern,
  queueSettingsKey,
  queuesKey,
  runKey,
  taskmillKey,
} from './keys.ts'

describe('queueKeys', () => {
  it('is the layout of the BullMQ that is installed', () => {
    const bull = new QueueKeys('app').getKeys('mail')
    const { base, paused, ...keys } = queueKeys('app', 'mail')
    expect(base).toBe('app:mail:')
    expect(paused).toBe('app:mail:paused') // kept by BullMQ 5 only; 6 has no name for it
    for (const [part, key] of Object.entries(keys)) expect(key).toBe(bull[part])
    expect(queueKey('app', 'mail', 'wait')).toBe(bull['wait'])
  })
})

describe('taskmillKey', () => {
  it('cannot be the key of a queue', () => {
    expect(taskmillKey('bull', 'done', 'a')).toBe('bull:.taskmill:done:a')
    expect(queueNamePattern.test('.taskmill')).toBe(false)
  })
})

it('a prefix in braces is the only hash tag of every key, so that a script may be given any of them together', () => {
  const space = 'default/team'
  const place = { installation: 'default', namespace: 'team', subjectKind: 'Queue', subject: 'mail' } as const
  const keys = [
    ...Object.values(queueKeys('{app}', 'mail')),
    ...[ledgerKey, runKey].map((key) => key('{app}', `${space}/nightly`)),
    ...[dispatcherKey, queuesKey, countedKey, groupsKey].map((key) => key('{app}', space)),
    countsKey('{app}', place, 1),
    queueSettingsKey('{app}', 'mail'),
    ownersKey('{app}', 'default'),
  ]
  for (const key of keys) expect(key).toMatch(/^\{app\}:[^{}]+$/u)
  expect(new Set(keys).size).toBe(keys.length)
})

describe('queueNamePattern', () => {
  it.each(['mail', 'mail.high', 'a', 'Überweisung', 'x'.repeat(128), 'mail-2_b'])('accepts %s', (name) => {
    expect(queueNamePattern.test(name)).toBe(true)
  })
  it.each(['', 'a:b', '.mail', '{mail}', 'a b', 'a,b', 'a\n', '\u0000', 'x'.repeat(129)])('refuses %j', (name) => {
    expect(queueNamePattern.test(name)).toBe(false)
  })
})
