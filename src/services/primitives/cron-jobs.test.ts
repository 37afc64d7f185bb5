import { describe, expect, it } from 'vitest'
import type { CronJob, Job } from '../../api/index.ts'
import { annotations } from '../../contract/index.ts'
import { taskmillError } from '../../errors/index.ts'
import type { Ledger } from '../../scheduling/index.ts'
import type { WantedCronJob } from '../../workloads/index.ts'
import type { CronJobMemory, CronJobVisit } from './cron-job-view.ts'
import { createCronJob } from './cron-jobs.ts'

const id = 'tm/default/team/report/cron-job'
const own = { 'taskmill.dev/started-by': 'TaskSchedule', 'taskmill.dev/schedule': 'report' }
const owner = { apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskSchedule', name: 'report', uid: 'u1', controller: true }
const minute = 60
const startMs = Date.parse('2026-11-30T18:00:20Z')
const slots = {
  next: (after: number) => (Math.floor(after / minute) + 1) * minute,
  between: (after: number, until: number) => (Math.floor(until / minute) * minute > after ? [Math.floor(until / minute) * minute] : []),
}

const wish: WantedCronJob = {
  namespace: 'team',
  name: 'report',
  labels: own,
  id,
  owner,
  schedule: '* * * * *',
  timeZone: 'UTC',
  concurrencyPolicy: 'Allow',
  startingDeadlineSeconds: undefined,
  isSuspended: false,
  template: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'a:1' }] } } } },
  generation: 'a/.cronjob',
}

/** An API server with one CronJob at most, a cache that shows it when it is told to, and a clock. */
function world(change: Partial<CronJobVisit> = {}) {
  const memory: CronJobMemory = {}
  const there = {
    nowMs: startMs,
    version: 0,
    stored: undefined as CronJob | undefined,
    cached: undefined as CronJob | undefined,
    jobs: [] as Job[],
    refuses: undefined as unknown,
    /** What an admission webhook does to each write. */
    webhook: (metadata: CronJob['metadata']) => metadata,
    asked: [] as string[],
  }
  const store = (object: unknown): CronJob => {
    const { metadata, ...rest } = object as CronJob
    there.version += 1
    const uid = there.stored?.metadata.uid ?? `uid-${there.version}`
    return (there.stored = {
      ...there.stored,
      ...rest,
      metadata: { ...there.webhook(metadata), uid, generation: there.version, resourceVersion: String(there.version) },
    } as CronJob)
  }
  const found = (): CronJob => {
    if (there.stored === undefined) throw taskmillError('TM_KUBE_NOT_FOUND', 'no such CronJob')
    return there.stored
  }
  const refuse = (): void => {
    if (there.refuses !== undefined) throw there.refuses
  }
  const client = {
    get: async () => (there.asked.push('get'), found()),
    create: async (_: unknown, object: unknown) => (refuse(), there.asked.push('create'), store(object)),
    update: async (_: unknown, object: unknown, { dryRun = false }: { readonly dryRun?: boolean }) => {
      there.asked.push(dryRun ? 'dry run' : 'update')
      found()
      refuse()
      return dryRun ? (object as CronJob) : store(object)
    },
    applyStatus: async (_: unknown, { status }: { readonly status: CronJob['status'] }) => {
      there.asked.push('status')
      return store({ ...found(), status })
    },
    delete: async (_: unknown, __: string, ___: string, { propagationPolicy }: { readonly propagationPolicy: string }) => {
      there.asked.push(`delete ${propagationPolicy}`)
      there.stored = undefined
    },
    list: async () => ({ items: there.jobs, resourceVersion: '1' }),
  }
  const primitive = (more: Partial<CronJobVisit> = {}) =>
    createCronJob(
      {
        client: client as never,
        cronJobs: { get: () => there.cached },
        jobs: { startedBy: () => [] },
        clock: { now: () => there.nowMs },
      },
      {
        namespace: 'team',
        schedule: 'report',
        name: 'report',
        id,
        wanted: wish,
        plan: { slots },
        driftPolicy: 'Repair',
        adopt: undefined,
        version: 'u1/1/',
        isDeleted: false,
        memory,
        signal: new AbortController().signal,
        ...change,
        ...more,
      },
    )
  const observe = (more: Partial<CronJobVisit> = {}) => primitive(more).observe({} as Ledger, there.nowMs)
  return { there, memory, primitive, observe }
}

const after = Math.floor(startMs / 1000) - 20
const theirs = { metadata: { name: 'report', namespace: 'team' }, spec: { schedule: '5 5 * * *', jobTemplate: { spec: {} } } }

describe('a CronJob', () => {
  it('is created suspended, told from when on it may start slots, and then started; after that nothing is asked', async () => {
    const { there, primitive, observe } = world()
    expect(await observe()).toMatchObject({ state: 'Absent', isInStep: false })
    expect(await primitive().start(after)).toBe('Done')
    expect(there.asked).toEqual(['get', 'create', 'status', 'update'])
    expect(there.stored).toMatchObject({ spec: { suspend: false }, status: { lastScheduleTime: '2026-11-30T18:00:00Z' } })
    expect(await observe()).toMatchObject({ state: 'Running', isInStep: true })
    there.cached = there.stored
    const before = there.asked.length
    expect(await observe()).toMatchObject({ state: 'Running', isInStep: true })
    expect(await primitive().isPresent(undefined)).toBe(true)
    expect(there.asked.length).toBe(before)
  })

  it('settles what its controller has passed, and after five minutes all but the newest due slot, or what its deadline leaves out', async () => {
    const { there, primitive, observe } = world()
    await primitive().start(after)
    expect((await observe()).settledUntil).toBe(after)
    there.cached = there.stored
    there.nowMs += 120_000
    // A Job of one of the two slots since then may still come.
    expect((await observe()).settledUntil).toBe(after)
    there.cached = { ...there.stored!, status: { lastScheduleTime: '2026-11-30T18:01:00Z' } }
    expect((await observe()).settledUntil).toBe(after + 60)
    there.cached = there.stored
    there.nowMs += 240_000
    expect((await observe()).settledUntil).toBe(after + 59)
    expect((await observe({ plan: { slots, startingDeadlineSeconds: 5 } })).settledUntil).toBe(after + 75)
  })

  it('is stopping until its controller must have seen it; only what is read after that settles its slots', async () => {
    const { there, memory, primitive, observe } = world()
    await primitive().start(after)
    await primitive().survey()
    expect((await observe()).surveyedUntil).toBeGreaterThan(0)
    expect(await primitive().stop()).toBe('Done')
    expect(there.stored?.spec.suspend).toBe(true)
    expect(await observe()).toMatchObject({ state: 'Stopping', surveyedUntil: 0, againAtMs: startMs + 10_000 })
    there.nowMs += 10_000
    memory.written = { object: there.stored!, atMs: there.nowMs }
    expect(await observe()).toMatchObject({ state: 'Stopped', surveyedUntil: 0, settledUntil: Math.floor(startMs / 1000) })
    await primitive().survey()
    const { surveyedUntil, settledUntil } = await observe()
    expect(surveyedUntil).toBeGreaterThanOrEqual(settledUntil)
    await primitive().start(after)
    expect(await observe()).toMatchObject({ state: 'Running', surveyedUntil: 0 })
  })

  it('of a suspended schedule that somebody resumes stops anew, from now on', async () => {
    const { there, primitive, observe } = world()
    const wanted = { ...wish, isSuspended: true }
    await primitive().start(after)
    await primitive().stop()
    await primitive({ wanted }).start(after)
    there.cached = there.stored
    there.nowMs += 60_000
    expect((await observe({ wanted })).state).toBe('Stopped')
    const { metadata, spec } = there.stored!
    there.version += 1
    there.stored = { ...there.stored!, metadata: { ...metadata, generation: there.version }, spec: { ...spec, suspend: false } }
    await primitive({ wanted }).start(after)
    expect(await observe({ wanted })).toMatchObject({ state: 'Stopping', surveyedUntil: 0 })
  })

  it('that the API server does not let stop is stopped later', async () => {
    const { there, memory, primitive } = world()
    await primitive().start(after)
    there.refuses = taskmillError('TM_KUBE_INVALID', 'invalid', {
      details: { status: 422, reason: 'Invalid', causes: [{ field: 'spec.timeZone', message: 'is wrong' }], request: '' },
    })
    expect(await primitive().stop()).toEqual({ postponed: expect.stringContaining('spec.timeZone') })
    expect(memory.withheld).toBeUndefined()
  })

  it('is found by its id when somebody removes its labels, and gets them again', async () => {
    const { there, memory, primitive, observe } = world()
    await primitive().start(after)
    there.stored = { ...there.stored!, metadata: { ...there.stored!.metadata, labels: {}, resourceVersion: '9' } }
    Object.assign(memory, { written: undefined })
    expect(await observe()).toMatchObject({ state: 'Absent' })
    await primitive().start(after)
    expect(there.stored.metadata.labels).toEqual(own)
    expect(memory.done).toMatchObject([{ kind: 'Repaired' }])
  })

  it('is repaired at once, and against a program that writes it back once in 30 s', async () => {
    const { there, primitive, observe } = world()
    await primitive().start(after)
    const edit = (): void => {
      const { metadata, spec } = there.stored!
      there.version += 1
      const version = String(there.version)
      there.cached = {
        ...there.stored!,
        metadata: { ...metadata, generation: there.version, resourceVersion: version },
        spec: { ...spec, schedule: '1 1 1 1 1' },
      }
      there.stored = there.cached
    }
    edit()
    expect(await observe()).toMatchObject({ isInStep: false })
    await primitive().start(after)
    expect(there.stored?.spec.schedule).toBe('* * * * *')
    edit()
    const { isInStep, againAtMs = 0 } = await observe()
    expect(isInStep).toBe(true)
    expect(againAtMs).toBeLessThanOrEqual(startMs + 30_000)
    there.nowMs += 30_000
    expect(await observe()).toMatchObject({ isInStep: false })
  })

  it.each([
    ['note of what was written', (metadata: CronJob['metadata']) => ({ ...metadata, annotations: { [annotations.jobId]: id } })],
    ['labels', (metadata: CronJob['metadata']) => ({ ...metadata, labels: {} })],
  ])('whose %s a webhook takes away is written at once and then once in 30 s', async (lost, webhook) => {
    const { there, primitive, observe } = world()
    there.webhook = webhook
    for (let looks = 0; looks < 60; looks++) {
      if (!(await observe()).isInStep) await primitive().start(after)
      // The cache has only what carries the labels.
      if (lost !== 'labels') there.cached = there.stored
      there.nowMs += 1_000
    }
    expect(there.asked.filter((each) => each === 'update')).toHaveLength(3)
    expect(await observe()).toMatchObject({ state: 'Running' })
  })

  it('with driftPolicy Report that loses its labels and its owner gets these back, and keeps an edit of its spec', async () => {
    const { there, memory, primitive, observe } = world({ driftPolicy: 'Report' })
    await primitive().start(after)
    const { metadata, spec } = there.stored!
    there.version = 9
    there.stored = {
      ...there.stored!,
      metadata: { ...metadata, labels: {}, ownerReferences: [], generation: 9, resourceVersion: '9' },
      spec: { ...spec, schedule: '1 1 1 1 1' },
    }
    Object.assign(memory, { written: undefined })
    expect(await observe()).toMatchObject({ state: 'Absent' })
    await primitive().start(after)
    expect(there.stored).toMatchObject({ metadata: { labels: own, ownerReferences: [owner] }, spec: { schedule: '1 1 1 1 1' } })
    expect(memory.done).toMatchObject([{ kind: 'Repaired', message: expect.stringContaining('metadata.ownerReferences differs') }])
    expect(memory.done?.[0]?.message).not.toContain('spec.schedule')
    expect(await observe()).toMatchObject({ state: 'Running', isInStep: true })
    expect(memory.drift).toContain('spec.schedule is "1 1 1 1 1"')
  })

  it('that is being deleted is waited for', async () => {
    const { there, primitive } = world()
    await primitive().start(after)
    there.stored = { ...there.stored!, metadata: { ...there.stored!.metadata, deletionTimestamp: '2026-11-30T18:00:30Z' } }
    expect(await primitive().start(after)).toEqual({ postponed: 'CronJob "report" is still being deleted' })
  })

  it('of somebody else is never written, and tried again after an edit', async () => {
    const { there, memory, primitive, observe } = world()
    there.stored = theirs as unknown as CronJob
    expect(await primitive().start(after)).toBe('Done')
    expect(await primitive().stop()).toBe('Done')
    expect(await primitive().remove()).toBe('Done')
    expect(there.stored).toBe(theirs)
    expect(memory.withheld?.reason).toBe('NameTaken')
    expect(await observe()).toMatchObject({ state: 'Withheld', againAtMs: expect.any(Number) })
    expect(await observe({ version: 'u1/2/' })).toMatchObject({ state: 'Absent' })
    await primitive({ adopt: 'Yes' }).start(after)
    expect(memory.withheld?.message).toContain('The annotation taskmill.dev/adopt is "Yes"; it may be DryRun or Confirm.')
    await primitive({ adopt: 'DryRun' }).start(after)
    expect(memory.withheld?.message).toContain('spec.schedule is "5 5 * * *", not "* * * * *"')
    await primitive({ adopt: 'Confirm' }).start(after)
    expect(there.stored.metadata.annotations?.[annotations.adoptedAt]).toBe(String(startMs))
    expect(memory.done).toMatchObject([{ kind: 'Adopted' }])
    there.cached = there.stored
    there.nowMs += 19_000
    expect((await observe({ version: 'u1/2/Confirm' })).notOursUntil).toBe(Math.floor(startMs / 1000))
    there.nowMs += 1_000
    expect((await observe({ version: 'u1/2/Confirm' })).notOursUntil).toBe(Math.floor(startMs / 1000) + 10)
  })

  it('with a template that the API server refuses waits for an edit, and what passes is tried again', async () => {
    const { there, memory, primitive, observe } = world()
    const details = {
      status: 422,
      reason: 'Invalid',
      causes: [{ field: 'spec.jobTemplate.spec.template', message: 'is wrong' }],
      request: '',
    }
    there.refuses = taskmillError('TM_KUBE_INVALID', 'invalid', { details })
    expect(await primitive().start(after)).toBe('Done')
    expect(memory.withheld).toMatchObject({ reason: 'TemplateInvalid', message: expect.stringContaining('spec.job.spec.template') })
    expect(await observe()).toMatchObject({ state: 'Withheld' })
    const quota = { status: 403, reason: 'Forbidden', causes: [], request: '' }
    there.refuses = taskmillError('TM_KUBE_FORBIDDEN', 'exceeded quota: few', { details: quota })
    expect(await primitive({ version: 'u1/2/' }).start(after)).toEqual({ postponed: expect.stringMatching(/^CronJob "report": .*quota/u) })
  })

  it.each([
    [false, 'delete Orphan'],
    [true, 'delete Background'],
  ])('goes alone, unless its schedule goes (%s)', async (isDeleted, asked) => {
    const { there, primitive } = world()
    await primitive().start(after)
    there.cached = there.stored
    expect(await primitive({ isDeleted }).remove()).toBe('Done')
    expect(there.asked).toContain(asked)
    // The cache still shows it.
    expect(await primitive().isPresent(undefined)).toBe(false)
  })
})
