import { expect, it } from 'vitest'
import type { QueueReading } from '../../broker/index.ts'
import { ratesOf, withSample, type Samples } from './rates.ts'

const at = (seconds: number, added: number, waiting: number): QueueReading => ({
  queue: 'email',
  waiting,
  prioritized: 0,
  delayed: 0,
  dueDelayed: 0,
  active: 0,
  failed: 0,
  waitingChildren: 0,
  added,
  paused: false,
  streamId: '0-0',
  brokerTimeMs: seconds * 1000,
})
const after = (...readings: readonly QueueReading[]): Samples => readings.reduce<Samples>(withSample, [])

it('says nothing before ten seconds have passed', () => {
  expect(ratesOf(after(at(0, 0, 0), at(9, 90, 0)))).toBeUndefined()
})

it('counts what came, and what left by what is still there', () => {
  expect(ratesOf(after(at(0, 100, 5), at(30, 160, 20)))).toEqual({ arrivalsPerMinute: 120, departuresPerMinute: 90 })
})

it('looks at the last minute only', () => {
  const samples = after(at(0, 0, 0), at(40, 4000, 0), at(80, 4000, 0), at(120, 4060, 0))
  expect(ratesOf(samples)).toEqual({ arrivalsPerMinute: 45, departuresPerMinute: 45 })
  expect(samples.length).toBe(3)
})

it('begins anew with a queue that was obliterated, and with a clock that went back', () => {
  expect(after(at(0, 500, 5), at(30, 3, 3))).toHaveLength(1)
  expect(after(at(30, 500, 5), at(20, 501, 5))).toHaveLength(1)
})
