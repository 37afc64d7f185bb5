import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { createConsumerHealth } from './consumer.ts'

test('tells an absent broker from a loop that is stuck', async () => {
  const clock = fakeClock()
  const redis = Object.assign(new EventEmitter(), { status: 'connecting' })
  let [lookedMs, isLooking] = [0, true]
  const health = createConsumerHealth({ redis: redis as unknown as Redis, clock, lookedMs: () => lookedMs, isLooking: () => isLooking })

  await clock.advance(3_000)
  redis.emit('close') // each attempt that fails says so
  expect(health()).toEqual({ hasConnected: false, awayMs: 3_000, stuckMs: 0 })
  redis.emit('ready')
  expect(health()).toEqual({ hasConnected: true, awayMs: 0, stuckMs: 0 }) // it had nothing to look at before
  await clock.advance(4_000)
  expect(health().stuckMs).toBe(4_000)
  lookedMs = clock.monotonicNow()
  await clock.advance(1_000)
  expect(health().stuckMs).toBe(1_000)
  isLooking = false // all slots are busy
  expect(health().stuckMs).toBe(0)
  isLooking = true
  redis.emit('close')
  await clock.advance(2_000)
  redis.emit('close')
  expect(health()).toEqual({ hasConnected: true, awayMs: 2_000, stuckMs: 0 })
})
