import { expect, test } from 'vitest'
import type { Broker } from '../../broker/index.ts'
import { createBrokerClock } from './broker-clock.ts'

const broker = {} as Broker

/** A broker whose clock is ahead by `offsetMs`, and a call that takes so long before and after the broker has answered. */
function setup(offsetMs: number) {
  const state = { nowMs: 1_000_000, offsetMs }
  const clock = createBrokerClock({ now: () => state.nowMs })
  const answer = (goMs: number, backMs: number) =>
    clock.timed(broker, async () => {
      state.nowMs += goMs
      const brokerTimeMs = state.nowMs + state.offsetMs
      state.nowMs += backMs
      return { brokerTimeMs }
    })
  return { state, answer, errorMs: () => clock.now(broker) - (state.nowMs + state.offsetMs) }
}

test("it is this process's own time until the broker has answered", () => {
  expect(setup(500).errorMs()).toBe(-500)
})

test('an answer that is read late does not set the clock back', async () => {
  const { answer, errorMs } = setup(500)
  await answer(1, 1)
  expect(errorMs()).toBe(-1)
  await answer(1, 400)
  expect(errorMs()).toBe(-1)
})

test('a quicker answer makes it more precise', async () => {
  const { answer, errorMs } = setup(-500)
  await answer(1, 400)
  expect(errorMs()).toBe(-400)
  await answer(3, 2)
  expect(errorMs()).toBe(-2)
})

test.each([60_000, -60_000])('it follows a clock that jumps by %d ms', async (jumpMs) => {
  const { state, answer, errorMs } = setup(500)
  await answer(1, 1)
  state.offsetMs += jumpMs
  await answer(3, 2)
  expect(Math.abs(errorMs())).toBeLessThanOrEqual(3)
})

test("it follows this process's own clock when that jumps during a call", async () => {
  const { state, answer, errorMs } = setup(0)
  await answer(1, 1)
  await answer(1, -30_000)
  state.offsetMs += 30_000
  await answer(1, 1)
  expect(Math.abs(errorMs())).toBeLessThanOrEqual(1)
})

test('an answer without a time changes nothing', async () => {
  const { answer, errorMs } = setup(500)
  await answer(1, 1)
  const clock = createBrokerClock({ now: () => 7 })
  expect(await clock.timed(broker, async () => ({ outcome: 'Fenced' }))).toEqual({ outcome: 'Fenced' })
  expect(clock.now(broker)).toBe(7)
  expect(errorMs()).toBe(-1)
})
