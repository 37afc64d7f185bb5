import { expect, test } from 'vitest'
import { createConsistency } from './index.ts'

const setup = () => {
  const cache = new Map<string, string>()
  const consistency = createConsistency({ deployments: (key) => cache.get(key) })
  return { cache, ...consistency }
}

test('a key is ready again when the cache shows what was written, or something newer', () => {
  const { cache, wroteAt, ready } = setup()
  cache.set('a', '9')
  expect(ready('a')).toBe(true)
  wroteAt('a', 'deployments', '10')
  expect([ready('a'), ready('b')]).toEqual([false, true])
  cache.set('a', '100')
  expect(ready('a')).toBe(true)
  cache.set('a', '9')
  expect(ready('a'), 'what was seen is not asked for again').toBe(true)
})

test('of two writes the newer holds, whatever the order of their answers', () => {
  const { cache, wroteAt, ready } = setup()
  wroteAt('a', 'deployments', '12')
  wroteAt('a', 'deployments', '11')
  cache.set('a', '11')
  expect(ready('a')).toBe(false)
})

test('an object that was written and is missing is not seen yet, until it is forgotten', () => {
  const { wroteAt, ready, clear } = setup()
  wroteAt('a', 'deployments', '5')
  expect(ready('a')).toBe(false)
  clear('a')
  expect(ready('a')).toBe(true)
})

test('versions beyond 2^53 are compared exactly, and a version that is no number is not waited for', () => {
  const { cache, wroteAt, ready } = setup()
  cache.set('a', '9007199254740992')
  wroteAt('a', 'deployments', '9007199254740993')
  expect(ready('a')).toBe(false)
  cache.set('a', 'opaque')
  expect(ready('a')).toBe(true)
  wroteAt('a', 'deployments', 'opaque')
  wroteAt('a', 'deployments', undefined)
  expect(ready('a')).toBe(true)
})
