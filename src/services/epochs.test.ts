import { expect, test } from 'vitest'
import type { Broker } from '../broker/index.ts'
import { fakeClock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createEpochs } from './index.ts'

/** A broker that keeps the highest epoch, and counts how often it was told one. */
const memoryBroker = (known = 0) => {
  const state = { known, told: 0, away: false }
  const announceEpoch = async (epoch: number) => {
    state.told++
    if (state.away) throw taskmillError('TM_BROKER_UNREACHABLE', 'away')
    const before = state.known
    state.known = Math.max(before, epoch)
    return before
  }
  return { state, broker: { announceEpoch } as unknown as Broker }
}

const setup = (all: Broker[]) => {
  const clock = fakeClock()
  const stop = new AbortController()
  let epoch = 4
  const epochs = createEpochs({
    brokers: { all: () => all },
    clock,
    log: silentLogger,
    epoch: () => epoch,
    outbid: (seen) => void (epoch = Math.max(epoch, seen + 1)),
  })
  epochs.start(stop.signal)
  return { clock, stop, epochs }
}

test('every broker is told once, also one that appears later or was away', async () => {
  const [early, late, away] = [memoryBroker(3), memoryBroker(), memoryBroker()]
  away.state.away = true
  const all = [early.broker, away.broker]
  const { clock, stop, epochs } = setup(all)
  await clock.advance(10_000)
  expect([early.state, away.state.known]).toEqual([{ known: 4, told: 1, away: false }, 0])
  away.state.away = false
  all.push(late.broker)
  await clock.advance(1_000)
  expect([late.state.known, away.state.known]).toEqual([4, 4])
  stop.abort()
  await epochs.stopped
  expect(clock.pending()).toEqual([])
})

test.each([4, 9])('a broker that has seen %i is outbid, and all are told', async (seen) => {
  const [behind, ahead] = [memoryBroker(), memoryBroker(seen)]
  const { clock } = setup([behind.broker, ahead.broker])
  await clock.advance(2_000)
  expect([behind.state, ahead.state]).toEqual([
    { known: seen + 1, told: 2, away: false },
    { known: seen + 1, told: 2, away: false },
  ])
})
