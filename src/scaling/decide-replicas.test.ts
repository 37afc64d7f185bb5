import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decideReplicas,
  describeDecision,
  emptyHistory,
  type LimitedQueue,
  type ScalingInput,
  type ScalingRules,
  type Signal,
} from './index.ts'

const rules: ScalingRules = {
  minReplicas: 0,
  maxReplicas: 10,
  targetBacklogPerReplica: 50,
  concurrency: 4,
  scaleDownWindowSeconds: 60,
}
const demand = (backlog: number, active = 0, orphaned = 0): Signal => ({ known: true, demand: { backlog, active, orphaned } })
const limited = (backlog: number, active: number, queues: readonly LimitedQueue[]): Signal => ({
  known: true,
  demand: { backlog, active, orphaned: 0, limited: queues },
})
const unknown: Signal = { known: false, message: 'connect ECONNREFUSED', sinceMs: Date.UTC(2026, 0, 1) }
const input = (part: Partial<ScalingInput>): ScalingInput => ({
  rules,
  signal: demand(0),
  current: 0,
  unschedulable: 0,
  history: emptyHistory,
  nowMs: 0,
  ...part,
})

describe('one decision', () => {
  it.each([
    { name: 'no jobs, at zero', part: {}, want: { replicas: 0, wanted: 0 } },
    { name: 'one job wakes one replica', part: { signal: demand(1) }, want: { replicas: 1, wanted: 1 } },
    { name: 'backlog by target', part: { signal: demand(120) }, want: { replicas: 3, wanted: 3 } },
    { name: 'running jobs keep their slots', part: { signal: demand(0, 17) }, want: { replicas: 5, wanted: 5 } },
    {
      name: 'capped by maxReplicas',
      part: { signal: demand(2000, 50) },
      want: { replicas: 10, wanted: 41, limit: 'TooManyReplicas' },
    },
    {
      name: 'capped by the concurrency limit of a queue',
      part: { signal: limited(400, 0, [{ queue: 'email', concurrency: 6, jobs: 400 }]) },
      want: {
        replicas: 2,
        wanted: 2,
        limit: 'QueueConcurrencyLimited',
        capped: { from: 8, queues: [{ queue: 'email', concurrency: 6, jobs: 400 }] },
      },
    },
    {
      name: 'only the jobs of the limited queue are capped',
      part: { signal: limited(600, 0, [{ queue: 'email', concurrency: 4, jobs: 400 }]) },
      want: {
        replicas: 5,
        wanted: 5,
        limit: 'QueueConcurrencyLimited',
        capped: { from: 12, queues: [{ queue: 'email', concurrency: 4, jobs: 400 }] },
      },
    },
    {
      name: 'a limit above the demand changes nothing',
      part: { signal: limited(120, 0, [{ queue: 'email', concurrency: 40, jobs: 120 }]) },
      want: { replicas: 3, wanted: 3 },
    },
    {
      name: 'running jobs beyond a lowered limit keep their slots',
      part: { signal: limited(400, 20, [{ queue: 'email', concurrency: 1, jobs: 420 }]) },
      want: {
        replicas: 5,
        wanted: 5,
        limit: 'QueueConcurrencyLimited',
        capped: { from: 9, queues: [{ queue: 'email', concurrency: 1, jobs: 420 }] },
      },
    },
    {
      name: 'a queue with a limit of 0 needs no replica',
      part: { signal: limited(400, 0, [{ queue: 'email', concurrency: 0, jobs: 400 }]) },
      want: {
        replicas: 0,
        wanted: 0,
        limit: 'QueueConcurrencyLimited',
        capped: { from: 8, queues: [{ queue: 'email', concurrency: 0, jobs: 400 }] },
      },
    },
    {
      name: 'raised to minReplicas',
      part: { rules: { ...rules, minReplicas: 2 } },
      want: { replicas: 2, wanted: 0, limit: 'TooFewReplicas' },
    },
    { name: 'unknown demand holds', part: { signal: unknown, current: 6 }, want: { replicas: 6, wanted: 6 } },
    {
      name: 'unknown demand still obeys an edited minReplicas',
      part: { signal: unknown, current: 1, rules: { ...rules, minReplicas: 3 } },
      want: { replicas: 3, wanted: 1, limit: 'TooFewReplicas' },
    },
    {
      name: 'orphaned jobs need one replica, whatever their number',
      part: { signal: demand(0, 0, 900) },
      want: { replicas: 1, wanted: 1 },
    },
    { name: 'orphaned jobs add nothing to other demand', part: { signal: demand(120, 0, 900) }, want: { replicas: 3, wanted: 3 } },
    {
      name: 'no replica is added while pods wait for a node',
      part: { signal: demand(400), current: 3, unschedulable: 2 },
      want: { replicas: 3, wanted: 8, limit: 'UnschedulablePods' },
    },
    {
      name: 'pods that wait for a node do not prevent a scale-in',
      part: { signal: demand(50), current: 5, unschedulable: 2, rules: { ...rules, scaleDownWindowSeconds: 0 } },
      want: { replicas: 1, wanted: 1 },
    },
    {
      name: 'minReplicas applies even if pods wait for a node',
      part: { current: 1, unschedulable: 1, rules: { ...rules, minReplicas: 3 } },
      want: { replicas: 3, wanted: 0, limit: 'UnschedulablePods' },
    },
    {
      name: 'the first decision never scales in: the current replicas count as recommended',
      part: { signal: demand(0), current: 7, nowMs: 1000 },
      want: { replicas: 7, wanted: 0, heldUntilMs: 61_000 },
    },
  ])('$name', ({ part, want }) => {
    const { history: _history, ...decision } = decideReplicas(input(part))
    expect(decision).toEqual(want)
  })
})

describe('over time', () => {
  it('scales in once the demand was lower during the whole window', () => {
    const up = decideReplicas(input({ signal: demand(500), nowMs: 0 }))
    expect(up.replicas).toBe(10)
    const low = decideReplicas(input({ current: 10, history: up.history, nowMs: 10_000 }))
    expect(low).toMatchObject({ replicas: 10, heldUntilMs: 70_000 })
    const stillHeld = decideReplicas(input({ current: 10, history: low.history, nowMs: 69_999 }))
    expect(stillHeld.replicas).toBe(10)
    const released = decideReplicas(input({ current: 10, history: stillHeld.history, nowMs: 70_000 }))
    expect(released.replicas).toBe(0)
  })

  it('starts the window again after the queues could not be read', () => {
    const low = decideReplicas(input({ signal: demand(0), current: 4, nowMs: 0 }))
    const blind = decideReplicas(input({ signal: unknown, current: 4, history: low.history, nowMs: 59_000 }))
    const back = decideReplicas(input({ signal: demand(0), current: 4, history: blind.history, nowMs: 80_000 }))
    expect(back).toMatchObject({ replicas: 4, heldUntilMs: 140_000 })
  })

  it('equals the highest wanted of the window, taken as a step function, for any sequence', () => {
    const steps = fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 90_000 }), backlog: fc.integer({ min: 0, max: 600 }) }), {
      minLength: 1,
      maxLength: 40,
    })
    fc.assert(
      fc.property(steps, (sequence) => {
        let nowMs = 0
        let history = emptyHistory
        let current = 0
        const seen: { fromMs: number; wanted: number }[] = [{ fromMs: 0, wanted: 0 }]
        for (const { gapMs, backlog } of sequence) {
          nowMs += gapMs
          const decision = decideReplicas(input({ signal: demand(backlog), current, history, nowMs }))
          seen.push({ fromMs: nowMs, wanted: decision.wanted })
          const inWindow = seen.filter((_, index) => {
            const next = seen[index + 1]
            return next === undefined || next.fromMs > nowMs - 60_000
          })
          expect(decision.replicas).toBe(Math.min(10, Math.max(...inWindow.map((entry) => entry.wanted))))
          history = decision.history
          current = decision.replicas
        }
      }),
    )
  })
})

describe('explanation', () => {
  const words = (part: Partial<ScalingInput>): string => describeDecision(input(part), decideReplicas(input(part)))
  it.each([
    { part: {}, want: '0 replicas: no jobs. The next job starts a pod.' },
    { part: { signal: demand(1) }, want: '1 replica: 1 job (1 waiting, 0 running) needs 1 at 50 per replica.' },
    {
      part: { signal: limited(996, 4, [{ queue: 'email', concurrency: 4, jobs: 1000 }]) },
      want: '1 replica: 1,000 jobs (996 waiting, 4 running) need 20 at 50 per replica, and 1 is enough: queue "email" runs at most 4 at once. Next: raise that limit (maxConcurrency of its TaskQueue) if what it protects has room.',
    },
    {
      part: { signal: demand(2000, 50) },
      want: '10 replicas: 2,050 jobs (2,000 waiting, 50 running) need 41 at 50 per replica, limited by maxReplicas 10. Next: raise spec.scaling.maxReplicas if the cluster has room.',
    },
    {
      part: { current: 7 },
      want: '7 replicas: no jobs; kept until 1970-01-01T00:01:00Z by the scale-down window of 60 s.',
    },
    {
      part: { signal: demand(0, 0, 3) },
      want: '1 replica: 3 active jobs without a worker, which only a worker can return to the queue.',
    },
    {
      part: { signal: demand(10, 0, 1) },
      want: '1 replica: 10 jobs (10 waiting, 0 running) need 1 at 50 per replica; 1 active job without a worker.',
    },
    {
      part: { signal: demand(400), current: 3, unschedulable: 2 },
      want: '3 replicas: 400 jobs (400 waiting, 0 running) need 8 at 50 per replica. 2 pods cannot be scheduled, so no more are added. Next: add a node or lower requests.',
    },
    { part: { rules: { ...rules, minReplicas: 1 } }, want: '1 replica: no jobs; minReplicas is 1.' },
    {
      part: { signal: unknown, current: 3 },
      want: '3 replicas: held, because the queues cannot be read since 2026-01-01T00:00:00Z (connect ECONNREFUSED).',
    },
  ])('$want', ({ part, want }) => {
    expect(words(part)).toBe(want)
  })
})
