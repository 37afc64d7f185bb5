import { QueueKeys } from 'bullmq'
import { describe, expect, it } from 'vitest'
import { queueKey, queueKeys, queueNamePattern, taskmillKey } from './keys.ts'

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

describe('queueNamePattern', () => {
  it.each(['mail', 'mail.high', 'a', 'Überweisung', 'x'.repeat(128), 'mail-2_b'])('accepts %s', (name) => {
    expect(queueNamePattern.test(name)).toBe(true)
  })
  it.each(['', 'a:b', '.mail', '{mail}', 'a b', 'a,b', 'a\n', '\u0000', 'x'.repeat(129)])('refuses %j', (name) => {
    expect(queueNamePattern.test(name)).toBe(false)
  })
})
