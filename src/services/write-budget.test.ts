import { expect, it } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { createWriteBudget } from './write-budget.ts'

it('lets a second of writes go at once, and then keeps the pace over any time', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 10 })
  let written = 0
  for (let stepMs = 0; stepMs < 10_000; stepMs += 10) {
    while (budget.take() === 0) written += 1
    await clock.advance(10)
  }
  expect(written).toBeGreaterThanOrEqual(108)
  expect(written).toBeLessThanOrEqual(110)
})

it('says when to ask again, and keeps its word', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 2 })
  expect([budget.take(), budget.take()]).toEqual([0, 0])
  const waitMs = budget.take()
  expect(waitMs).toBe(500)
  await clock.advance(waitMs)
  expect(budget.take()).toBe(0)
})

it('saves up no more than one second', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 3 })
  await clock.advance(3_600_000)
  expect([budget.take(), budget.take(), budget.take(), budget.take() > 0]).toEqual([0, 0, 0, true])
})
