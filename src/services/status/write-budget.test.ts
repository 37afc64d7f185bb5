import { expect, it } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { createWriteBudget } from './write-budget.ts'

it('lets a second of writes go at once, and then keeps the pace', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 10 })
  let written = 0
  for (let stepMs = 0; stepMs < 10_000; stepMs += 10) {
    while (budget.take('a') === 0) written += 1
    await clock.advance(10)
  }
  expect(written).toBeGreaterThanOrEqual(108)
  expect(written).toBeLessThanOrEqual(110)
})

it('says when to ask again, and grants the write then', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 2 })
  expect([budget.take('a'), budget.take('a')]).toEqual([0, 0])
  const waitMs = budget.take('a')
  expect(waitMs).toBe(500)
  await clock.advance(waitMs)
  expect(budget.take('a')).toBe(0)
})

it('saves up no more than one second', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 3 })
  await clock.advance(3_600_000)
  expect([budget.take('a'), budget.take('a'), budget.take('a'), budget.take('a') > 0]).toEqual([0, 0, 0, true])
})

it('gives each waiting writer a time of its own, and the same when asked again', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 10 })
  for (let count = 0; count < 10; count++) budget.take('first')
  const ask = () => ['a', 'b', 'c'].map((who) => budget.take(who))
  expect(ask()).toEqual([100, 200, 300])
  await clock.advance(50)
  expect(ask()).toEqual([50, 150, 250])
})

it('a thousand waiting writers ask about twice for each write', async () => {
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 10 })
  let [asked, written] = [0, 0]
  const ask = (who: string): void => {
    asked += 1
    const waitMs = budget.take(who)
    if (waitMs === 0) written += 1
    else clock.setTimeout(() => ask(who), waitMs)
  }
  for (let index = 0; index < 1000; index++) ask(`o${index}`)
  await clock.advance(99_100)
  expect(written).toBe(1000)
  expect(asked).toBeLessThanOrEqual(2100)
})
