import { expect, it } from 'vitest'
import { describeWhereabout, type QueueFacts } from './describe-whereabouts.ts'

const waiting = { state: 'Waiting' } as const
const fine: QueueFacts = { pools: [{ name: 'ai' }, { name: 'other', trouble: 'DeploymentUnavailable' }] }
const long = 60_000
const where = (job: Parameters<typeof describeWhereabout>[0], facts: QueueFacts, waitedMs = long) =>
  describeWhereabout(job, 'q', facts, waitedMs)

it('tells queued from running, and what is in the way', () => {
  expect(where({ state: 'Active' }, fine)?.words).toBe('running')
  expect(where(waiting, fine)).toEqual({ words: 'queued in q', detail: 'queued in q' })
  expect(where({ ...waiting, startedAtMs: 1 }, fine)?.words).toBe('retrying in q')
  expect(where(waiting, { ...fine, suspendedBy: 'mail' })).toEqual({
    words: 'queued in q (suspended)',
    detail: 'queued in q, which is suspended. Next: kubectl describe tq mail',
    blocked: 'QueueSuspended',
  })
  expect(where({ ...waiting, isPaused: true }, fine)).toEqual({
    words: 'queued in q (paused)',
    detail: 'queued in q, which someone paused by other means. Next: resume it where it was paused',
    blocked: 'QueuePaused',
  })
  expect(where({ ...waiting, isPaused: true }, { ...fine, suspendedBy: 'mail' })?.words).toBe('queued in q (suspended)')
  expect(where(waiting, { pools: [] })).toEqual({
    words: 'queued in q (no pool)',
    detail: 'queued in q; no WorkerPool of this namespace consumes it. Next: create one, unless other workers do',
    blocked: 'NoPool',
  })
  expect(where(waiting, { pools: [{ name: 'ai', trouble: 'DeploymentUnavailable' }] })).toEqual({
    words: 'queued in q (pool ai: DeploymentUnavailable)',
    detail: 'queued in q; pool "ai": DeploymentUnavailable. Next: kubectl describe wp ai',
    blocked: 'PoolNotReady',
  })
  for (const state of ['Ended', 'Absent'] as const) expect(where({ state }, fine)).toBeUndefined()
})

it('gives a pool that starts, and workers that Taskmill does not know, a minute', () => {
  expect(where(waiting, { pools: [] }, 59_999)?.blocked).toBeUndefined()
  expect(where(waiting, { pools: [{ name: 'ai', trouble: 'DeploymentProgressing' }] }, 59_999)?.blocked).toBeUndefined()
})
