import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFetchPlan, type FetchPlan } from './fetch-plan.ts'

const job = { gotJob: true, limitedMs: 0, nextDueMs: 0 }
const nothing = { gotJob: false, limitedMs: 0, nextDueMs: 0 }

/** Takes and answers until no queue may have a job. */
function fetchAll(plan: FetchPlan, nowMs: number, answer: (queue: string) => typeof job): string[] {
  const asked: string[] = []
  for (let queue = plan.take(nowMs); queue !== undefined && asked.length < 100; queue = plan.take(nowMs)) {
    asked.push(queue)
    plan.found(queue, answer(queue), nowMs)
    plan.done(queue)
  }
  return asked
}

describe('whose turn it is', () => {
  test('queues with jobs take turns; an empty one is not asked again', () => {
    const plan = createFetchPlan(['a', 'b', 'c'])
    let left = 6
    expect(fetchAll(plan, 0, (queue) => (queue !== 'b' && left-- > 0 ? job : nothing)).join('')).toBe('abcacacac'.slice(0, 9))
  })

  test('a queue is not asked twice at once before it has answered with a job', () => {
    const plan = createFetchPlan(['a', 'b'])
    expect([plan.take(0), plan.take(0), plan.take(0)]).toEqual(['a', 'b', undefined])
    plan.found('b', job, 0)
    plan.done('b')
    const taken = Array.from({ length: 9 }, () => plan.take(0))
    expect(taken).toEqual([...Array.from({ length: 8 }, () => 'b'), undefined])
    plan.found('b', nothing, 0)
    for (let left = 8; left > 0; left--) plan.done('b')
    expect(plan.take(0)).toBeUndefined()
  })

  test('no queue with jobs waits for more than one turn of each other queue', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.array(fc.nat(7), { maxLength: 40 }), (size, empties) => {
        const queues = Array.from({ length: size }, (_, index) => `q${index}`)
        const plan = createFetchPlan(queues)
        const waited = new Map(queues.map((queue) => [queue, 0]))
        for (const empty of [...empties, ...queues.map(() => -1)]) {
          const queue = plan.take(0)
          if (queue === undefined) return
          for (const [other, turns] of waited) waited.set(other, other === queue ? 0 : turns + 1)
          plan.found(queue, queue === `q${empty}` ? nothing : job, 0)
          plan.done(queue)
          if (queue === `q${empty}`) waited.delete(queue)
          expect(Math.max(0, ...waited.values())).toBeLessThanOrEqual(size)
        }
      }),
    )
  })

  test('a slot stays with its queue only when no other may have a job', () => {
    const plan = createFetchPlan(['a', 'b'])
    expect(plan.keeps('a', 0)).toBe(false)
    fetchAll(plan, 0, () => nothing)
    expect(plan.keeps('a', 0)).toBe(true)
    plan.marker('b', 500)
    expect([plan.keeps('a', 499), plan.keeps('a', 500)]).toEqual([true, false])
  })
})

describe('when a queue is asked again', () => {
  test('at the time of its next delayed job, which may have become earlier', () => {
    const plan = createFetchPlan(['a'])
    fetchAll(plan, 0, () => ({ ...nothing, nextDueMs: 1_000.000_244 }))
    plan.looked(0, false)
    expect([plan.waitMs(0), plan.take(999)]).toEqual([1_000, undefined])
    plan.marker('a', 300)
    expect([plan.waitMs(0), plan.take(299), plan.take(300)]).toEqual([300, undefined, 'a'])
  })

  test('news that come while a fetch is under way outlive its empty answer', () => {
    const plan = createFetchPlan(['a'])
    plan.take(0)
    plan.marker('a', 0)
    plan.found('a', nothing, 0)
    plan.done('a')
    expect(plan.take(0)).toBe('a')
    plan.peeked('a', false, 700)
    plan.found('a', { ...nothing, nextDueMs: 900 }, 0)
    plan.done('a')
    expect([plan.take(699), plan.take(700)]).toEqual([undefined, 'a'])
  })

  test('not while it is rate limited, and its markers are left alone', () => {
    const plan = createFetchPlan(['a', 'b'])
    fetchAll(plan, 0, (queue) => (queue === 'a' ? { ...nothing, limitedMs: 200 } : nothing))
    plan.looked(0, false)
    expect([plan.watchable(0), plan.watchable(200)].map((queues) => [...queues].toSorted())).toEqual([['b'], ['a', 'b']])
    expect([plan.waitMs(0), plan.take(199), plan.take(200)]).toEqual([200, undefined, 'a'])
  })

  test('after an error only when the pause is over', () => {
    const plan = createFetchPlan(['a'])
    plan.take(0)
    plan.failed('a', 0, 5_000)
    plan.done('a')
    expect([plan.take(4_999), plan.take(5_000)]).toEqual([undefined, 'a'])
  })
})

test('busy slots look at the other queues every 25 ms, an idle worker every 5 s', () => {
  const plan = createFetchPlan(['a', 'b'])
  plan.looked(0, false)
  expect([plan.isPeekDue(24, true), plan.isPeekDue(25, true), plan.isPeekDue(4_999, false), plan.isPeekDue(5_000, false)]).toEqual([
    false,
    true,
    false,
    true,
  ])
  plan.looked(4_990, true)
  expect([plan.isPeekDue(4_999, true), plan.isPeekDue(5_000, false)]).toEqual([false, true])
  expect(createFetchPlan(['a']).isPeekDue(25, true)).toBe(true)
})
