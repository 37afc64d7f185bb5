import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFetchPlan, type FetchPlan } from './fetch-plan.ts'

const job = { gotJob: true, limitedMs: 0, nextDueMs: 0 }
const nothing = { gotJob: false, limitedMs: 0, nextDueMs: 0 }

/** Takes and answers until no queue may have a job. */
function fetchAll(plan: FetchPlan, nowMs: number, answer: (queue: string) => typeof job): string[] {
  const asked: string[] = []
  for (let queue = plan.takeQueue(nowMs); queue !== undefined && asked.length < 100; queue = plan.takeQueue(nowMs)) {
    asked.push(queue)
    plan.recordFetch(queue, answer(queue), nowMs)
    plan.endFetch(queue)
  }
  return asked
}

describe('which queue is next', () => {
  test('queues with jobs take turns; an empty one is not asked again', () => {
    const plan = createFetchPlan(['a', 'b', 'c'])
    let left = 6
    expect(fetchAll(plan, 0, (queue) => (queue !== 'b' && left-- > 0 ? job : nothing)).join('')).toBe('abcacacac'.slice(0, 9))
  })

  test('a queue is not asked twice at once before it has answered with a job', () => {
    const plan = createFetchPlan(['a', 'b'])
    expect([plan.takeQueue(0), plan.takeQueue(0), plan.takeQueue(0)]).toEqual(['a', 'b', undefined])
    plan.recordFetch('b', job, 0)
    plan.endFetch('b')
    const taken = Array.from({ length: 9 }, () => plan.takeQueue(0))
    expect(taken).toEqual([...Array.from({ length: 8 }, () => 'b'), undefined])
    plan.recordFetch('b', nothing, 0)
    for (let left = 8; left > 0; left--) plan.endFetch('b')
    expect(plan.takeQueue(0)).toBeUndefined()
  })

  test('no queue with jobs waits for more than one turn of each other queue', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.array(fc.nat(7), { maxLength: 40 }), (size, empties) => {
        const queues = Array.from({ length: size }, (_, index) => `q${index}`)
        const plan = createFetchPlan(queues)
        const waited = new Map(queues.map((queue) => [queue, 0]))
        for (const empty of [...empties, ...queues.map(() => -1)]) {
          const queue = plan.takeQueue(0)
          if (queue === undefined) return
          for (const [other, turns] of waited) waited.set(other, other === queue ? 0 : turns + 1)
          plan.recordFetch(queue, queue === `q${empty}` ? nothing : job, 0)
          plan.endFetch(queue)
          if (queue === `q${empty}`) waited.delete(queue)
          expect(Math.max(0, ...waited.values())).toBeLessThanOrEqual(size)
        }
      }),
    )
  })

  test('a slot leaves its queue for another one that may have a job and has no slot', () => {
    const plan = createFetchPlan(['a', 'b'])
    const running = new Map([['a', 1]])
    expect(plan.canKeepSlot('a', 0, running)).toBe(false)
    fetchAll(plan, 0, () => nothing)
    expect(plan.canKeepSlot('a', 0, running)).toBe(true)
    plan.recordMarker('b', 500)
    expect([plan.canKeepSlot('a', 499, running), plan.canKeepSlot('a', 500, running)]).toEqual([true, false])
  })

  test.each([
    ['has no slot', { a: 1, b: 0 }, false],
    ['has no slot, and a fetch is under way for it', { a: 1, b: 0 }, true],
    ['has as many', { a: 8, b: 8 }, true],
    ['has one fewer', { a: 9, b: 8 }, true],
    ['has two fewer', { a: 10, b: 8 }, false],
    ['has more', { a: 3, b: 8 }, true],
  ])('beside another queue with jobs that %s', (title, slots, isKept) => {
    const plan = createFetchPlan(['b', 'a'])
    if (title.includes('fetch')) plan.takeQueue(0)
    plan.markReady('b')
    expect(plan.canKeepSlot('a', 0, new Map(Object.entries(slots)))).toBe(isKept)
  })

  test('slots spread over the queues with jobs, none of which is left without, and then stay with them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 30 }),
        fc.infiniteStream(fc.nat(1_000)),
        (size, slots, picks) => {
          const queues = Array.from({ length: size }, (_, index) => `q${index}`)
          const plan = createFetchPlan(queues)
          // All slots are with one queue when jobs come to the others.
          const held: string[] = Array.from({ length: slots }, () => 'q0')
          const last = new Map<string, number>()
          for (let ends = 1; ends <= 400; ends += 1) {
            const at = (picks.next().value ?? 0) % slots
            const queue = held[at] ?? ''
            for (const each of queues) plan.markReady(each)
            const running = new Map([...Map.groupBy(held, (each) => each)].map(([each, own]) => [each, own.length]))
            if (!plan.canKeepSlot(queue, 0, running)) {
              const next = plan.takeQueue(0) ?? ''
              plan.recordFetch(next, job, 0)
              plan.endFetch(next)
              held[at] = next
            }
            for (const each of held) last.set(each, ends)
            for (const each of queues) expect(ends - (last.get(each) ?? 0)).toBeLessThanOrEqual(2 * size * (slots + 1))
          }
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('when a queue is asked again', () => {
  test('at the time of its next delayed job, which may have become earlier', () => {
    const plan = createFetchPlan(['a'])
    fetchAll(plan, 0, () => ({ ...nothing, nextDueMs: 1_000.000_244 }))
    plan.recordLook(0, false)
    expect([plan.waitMs(0), plan.takeQueue(999)]).toEqual([1_000, undefined])
    plan.recordMarker('a', 300)
    expect([plan.waitMs(0), plan.takeQueue(299), plan.takeQueue(300)]).toEqual([300, undefined, 'a'])
  })

  test('a marker or peek that comes while a fetch is under way outlives its empty answer', () => {
    const plan = createFetchPlan(['a'])
    plan.takeQueue(0)
    plan.recordMarker('a', 0)
    plan.recordFetch('a', nothing, 0)
    plan.endFetch('a')
    expect(plan.takeQueue(0)).toBe('a')
    plan.recordPeek('a', false, 700)
    plan.recordFetch('a', { ...nothing, nextDueMs: 900 }, 0)
    plan.endFetch('a')
    expect([plan.takeQueue(699), plan.takeQueue(700)]).toEqual([undefined, 'a'])
  })

  test('not while it is rate limited, and its markers are left alone', () => {
    const plan = createFetchPlan(['a', 'b'])
    fetchAll(plan, 0, (queue) => (queue === 'a' ? { ...nothing, limitedMs: 200 } : nothing))
    plan.recordLook(0, false)
    expect([plan.listWatchable(0), plan.listWatchable(200)].map((queues) => [...queues].toSorted())).toEqual([['b'], ['a', 'b']])
    expect([plan.waitMs(0), plan.takeQueue(199), plan.takeQueue(200)]).toEqual([200, undefined, 'a'])
  })

  test('after an error only when the pause is over', () => {
    const plan = createFetchPlan(['a'])
    plan.takeQueue(0)
    plan.recordFailure('a', 0, 5_000)
    plan.endFetch('a')
    expect([plan.takeQueue(4_999), plan.takeQueue(5_000)]).toEqual([undefined, 'a'])
  })
})

test('busy slots look at the other queues every 25 ms, an idle worker every 5 s', () => {
  const plan = createFetchPlan(['a', 'b'])
  plan.recordLook(0, false)
  expect([plan.isPeekDue(24, true), plan.isPeekDue(25, true), plan.isPeekDue(4_999, false), plan.isPeekDue(5_000, false)]).toEqual([
    false,
    true,
    false,
    true,
  ])
  plan.recordLook(4_990, true)
  expect([plan.isPeekDue(4_999, true), plan.isPeekDue(5_000, false)]).toEqual([false, true])
  expect(createFetchPlan(['a']).isPeekDue(25, true)).toBe(true)
})
