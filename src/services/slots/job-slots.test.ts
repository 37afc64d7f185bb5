import { expect, it } from 'vitest'
import type { Job } from '../../api/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { generationOf, jobsPlace } from '../../scheduling/index.ts'
import type { JobLook, Jobs } from '../jobs/index.ts'
import { createJobSlots, slotJobNaming } from './job-slots.ts'

const createdAtMs = Date.UTC(2026, 10, 29)
const slot = createdAtMs / 1000
const generation = generationOf('a', jobsPlace)

/** What is seen of one Job, so many seconds after its creation, by a process that remembers `memory`. */
function slotsOf({
  spec = {},
  hasStarted = false,
  words,
}: {
  readonly spec?: object
  readonly hasStarted?: boolean
  readonly words?: string
}) {
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'report-1', namespace: 'team', uid: 'u1', creationTimestamp: new Date(createdAtMs).toISOString() },
    spec: { template: { spec: {} }, ...spec },
    status: { active: 1 },
  } as unknown as Job
  const asked: string[] = []
  const jobs = {
    look: async (): Promise<JobLook> => ({ kind: 'Running', job }),
    startedBy: () => [],
    trouble: async () => (words === undefined ? {} : { trouble: { words } }),
    async hasStarted() {
      asked.push('hasStarted')
      return hasStarted
    },
  } as unknown as Jobs
  const memory = {}
  return {
    asked,
    async seenAfter(seconds: number) {
      const slots = createJobSlots({
        jobs,
        namespace: 'team',
        schedule: 'report',
        naming: slotJobNaming({ namespace: 'team', schedule: 'report', ledger: 'default/team/report' }),
        owner: undefined,
        start: undefined,
        generation,
        memory,
        signal: new AbortController().signal,
        log: silentLogger,
      })
      await slots.observe([{ slot, generation }], createdAtMs + seconds * 1000)
      const [seen] = await slots.look([{ slot, generation }])
      return seen
    },
  }
}

it('a Job of which nothing has run after 15 min is stuck, and its trouble is quoted', async () => {
  const { seenAfter } = slotsOf({ words: 'its image cannot be pulled' })
  expect(await seenAfter(899)).toEqual({ state: 'Waiting', trouble: 'job/report-1: its image cannot be pulled' })
  expect(await seenAfter(900)).toEqual({
    state: 'Waiting',
    trouble: 'job/report-1: its image cannot be pulled',
    isUntouched: true,
    isStuck: true,
  })
})

it('a Job of which a container has run is not stuck, which is asked once', async () => {
  const { asked, seenAfter } = slotsOf({ hasStarted: true })
  for (const seconds of [900, 960, 1020]) expect(await seenAfter(seconds)).toMatchObject({ isStuck: false })
  expect(asked).toHaveLength(1)
})

it('a Job that somebody suspends is not stuck', async () => {
  const { seenAfter } = slotsOf({ spec: { suspend: true } })
  expect(await seenAfter(5000)).toMatchObject({ isUntouched: true, isStuck: false })
})
