import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { createCoalescedRead } from './coalesced-read.ts'

const retryMs = 2_000

/** A value that is read; each read takes until the test ends it, and reads what the value was when it began. */
function world() {
  const clock = fakeClock()
  const reads: { readonly began: number; readonly end: () => void; readonly fail: () => void }[] = []
  const state = { value: 0, seen: 0, under: 0, most: 0, failures: 0 }
  const coalesced = createCoalescedRead({
    async read() {
      const value = state.value
      state.most = Math.max(state.most, ++state.under)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      reads.push({ began: value, end: resolve, fail: () => reject(new Error('away')) })
      try {
        await promise
        state.seen = value
      } finally {
        state.under--
      }
    },
    clock,
    retryMs,
    onFailure: () => void state.failures++,
  })
  const change = () => {
    state.value++
    return coalesced.request()
  }
  return { clock, reads, state, coalesced, change }
}

async function microtasks(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await Promise.resolve()
}

describe('a coalesced read', () => {
  it('answers requests that come together with one read', async () => {
    const { clock, reads, change } = world()
    for (let index = 0; index < 30; index++) void change()
    await clock.advance(0)
    expect(reads.map(({ began }) => began)).toEqual([30])
  })

  it('answers all requests during a read with one more read', async () => {
    const { clock, reads, state, change } = world()
    void change()
    await clock.advance(0)
    const answered = Promise.all(Array.from({ length: 30 }, change))
    reads[0]?.end()
    await clock.advance(0)
    reads[1]?.end()
    await answered
    expect([reads.length, state.seen, state.most]).toEqual([2, 31, 1])
  })

  it.each(Array.from({ length: 12 }, (_, pause) => pause))('answers a request %i microtasks after the end of a read', async (pause) => {
    const { clock, reads, state, change } = world()
    void change()
    await clock.advance(0)
    reads[0]?.end()
    await microtasks(pause)
    void change()
    await clock.advance(0)
    reads[1]?.end()
    await clock.advance(0)
    expect(state.seen).toBe(2)
  })

  it('loses no request, at whatever moment of whatever read it comes', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('change' as const), pause: fc.nat(6) }),
      fc.record({ kind: fc.constantFrom('end' as const, 'fail' as const), pause: fc.nat(6) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, reads, state, coalesced, change } = world()
        let ended = 0
        let changes = 0
        for (const { kind, pause } of steps) {
          if (kind === 'change') {
            changes++
            void change()
          } else if (ended < reads.length) reads[ended++]?.[kind]()
          await microtasks(pause)
        }
        // From here on each read succeeds, and a failed one is repeated.
        for (let round = 0; round < 4; round++) {
          await clock.advance(retryMs)
          while (ended < reads.length) reads[ended++]?.end()
        }
        await clock.advance(0)
        expect([state.seen, state.under]).toEqual([state.value, 0])
        expect(state.most).toBeLessThanOrEqual(1)
        expect(reads.length).toBeLessThanOrEqual(changes + state.failures)
        await coalesced.stop()
        expect(clock.pending()).toEqual([])
      }),
      { numRuns: 400 },
    )
  })

  it('repeats a failed read after its time, or at the next request', async () => {
    const { clock, reads, state, change } = world()
    void change()
    await clock.advance(0)
    reads[0]?.fail()
    await clock.advance(retryMs - 1)
    expect([reads.length, state.failures]).toEqual([1, 1])
    await clock.advance(1)
    expect(reads.length).toBe(2)
    reads[1]?.fail()
    await clock.advance(0)
    void change()
    await clock.advance(0)
    expect(reads.length).toBe(3)
  })

  it('reads at the earliest of several times, once', async () => {
    const { clock, reads, coalesced } = world()
    for (const afterMs of [500, 50, 200]) coalesced.requestAfter(afterMs)
    await clock.advance(49)
    expect(reads).toEqual([])
    await clock.advance(1)
    reads[0]?.end()
    await clock.advance(1_000)
    expect(reads.length).toBe(1)
  })

  it('begins no read after its stop, which waits for the one under way', async () => {
    const { clock, reads, coalesced, change } = world()
    void change()
    await clock.advance(0)
    void change()
    let isStopped = false
    const stopping = coalesced.stop().then(() => (isStopped = true))
    await clock.advance(0)
    expect(isStopped).toBe(false)
    reads[0]?.end()
    await stopping
    await change()
    coalesced.requestAfter(10)
    await clock.advance(10_000)
    expect([reads.length, clock.pending()]).toEqual([1, []])
  })
})
