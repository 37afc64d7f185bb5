/** Schedules that create Kubernetes Jobs, on a real API server with a real Job controller; the tests play the kubelet. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { events, type Job, jobs, taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { ledgerName, slotJobId, slotTime } from '../../src/contract/index.ts'
import { isAcknowledged } from '../../src/workloads/index.ts'
import { observe } from '../support/cluster-client.ts'
import { endPods, observeJob, runningPods, tellPod } from '../support/job-pods.ts'
import { createBroker, createSchedule } from '../support/manifests.ts'
import { ended, executionHome, type ExecutionHome, nodesOf } from './execution-home.ts'
import { messageOf, reasonOf } from './schedule-home.ts'

let home: ExecutionHome

beforeAll(async () => {
  home = await executionHome('schedule-jobs', { others: ['full'] })
})

afterAll(() => home?.stop())

const jobOf = (container: object = {}, spec: object = {}) => ({
  spec: {
    backoffLimit: 0,
    ...spec,
    template: { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'acme:1', ...container }] } },
  },
})
const create = (name: string, spec: Parameters<typeof createSchedule>[3]): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, spec)
const suspend = (name: string): Promise<string> =>
  home.kubectl('patch', 'tsch', name, '--type=merge', '-p', JSON.stringify({ spec: { suspend: true } }))
const remove = (name: string): Promise<unknown> => home.client.delete(taskSchedules, home.namespace, name)
const at = ({ metadata }: Job) => ({ namespace: home.namespace, name: metadata.name })
const slotOf = ({ metadata }: Job): string => metadata.annotations?.['taskmill.dev/job-id'] ?? ''

async function jobsOf(schedule: string): Promise<readonly Job[]> {
  const { items } = await home.client.list<Job>(jobs, {
    namespace: home.namespace,
    labelSelector: `taskmill.dev/started-by=TaskSchedule,taskmill.dev/schedule=${schedule}`,
  })
  return items.toSorted((a, b) => (slotOf(a) < slotOf(b) ? -1 : 1))
}

/** Its first Jobs, as soon as there are so many. */
async function firstJobs(schedule: string, count: number): Promise<readonly Job[]> {
  await expect.poll(() => jobsOf(schedule).then((all) => all.length), { timeout: 30_000 }).toBeGreaterThanOrEqual(count)
  return (await jobsOf(schedule)).slice(0, count)
}

it('a slot creates one Job, which belongs to the schedule, says what it is for, and may go once its end is recorded', async () => {
  const job = jobOf({ args: ['--at=$(slot)', '$$(HOME)'] })
  const schedule = await create('jobs', { everySeconds: 2, missedRuns: 'All', job })
  await firstJobs('jobs', 2)
  await suspend('jobs')
  await home.schedule('jobs', ({ status }) => status?.reason === 'Suspended')
  const all = await jobsOf('jobs')
  const slots = all.map((each) => Date.parse(slotOf(each).replace(/^.*\/(....)(..)(..)T(..)(..)(..)Z$/u, '$1-$2-$3T$4:$5:$6Z')) / 1000)
  expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 2 * index))
  for (const [index, { metadata, spec }] of all.entries()) {
    const slot = slots[index] ?? 0
    expect(metadata).toMatchObject({
      name: expect.stringMatching(/^jobs-[0-9a-f]{8}$/u),
      labels: { 'taskmill.dev/started-by': 'TaskSchedule', 'taskmill.dev/schedule': 'jobs' },
      annotations: { 'taskmill.dev/job-id': slotJobId(ledgerName('default', home.namespace, 'jobs'), slot) },
      ownerReferences: [{ kind: 'TaskSchedule', name: 'jobs', uid: schedule.metadata.uid, controller: true }],
    })
    expect(spec.ttlSecondsAfterFinished).toBeUndefined()
    expect(spec.template.spec.containers).toMatchObject([{ args: [`--at=${slotTime(slot)}`, '$(HOME)'] }])
  }
  await Promise.all(all.map((each) => endPods(home.client, at(each), { exitCode: 0 })))
  await home.schedule('jobs', (each) => reasonOf(each, 'LastRunSucceeded') === 'Succeeded')
  for (const each of all) {
    const acknowledged = await observeJob(home.client, at(each), (found) => found !== undefined && isAcknowledged(found))
    expect(acknowledged?.spec.ttlSecondsAfterFinished).toBe(86_400)
  }
  expect(await jobsOf('jobs')).toHaveLength(all.length)
  const keys = await home.commands.keys(`bull:.taskmill:counts:default/${home.namespace}/TaskSchedule/jobs:*`)
  const counted = (await Promise.all(keys.map((key) => home.commands.hvals(key)))).flat()
  expect(counted.reduce((sum, value) => sum + Number(value), 0)).toBe(all.length)
})

describe('a run that ends otherwise', () => {
  it('fails with the exit code and the last words of its pod, or with its own deadline', async () => {
    await create('failing', { everySeconds: 2, concurrencyPolicy: 'Forbid', job: jobOf() })
    const [first] = await firstJobs('failing', 1)
    await endPods(home.client, at(first!), { exitCode: 3, message: 'the disk is full' })
    const object = await home.schedule('failing', (each) => reasonOf(each, 'LastRunSucceeded') === 'Failed')
    expect(object.status?.lastFailureMessage).toMatch(/^job\/failing-[0-9a-f]{8}: pod .*exit code 3: the disk is full/u)
    await remove('failing')
    await create('late', { everySeconds: 2, concurrencyPolicy: 'Forbid', job: jobOf({}, { activeDeadlineSeconds: 1 }) })
    await home.schedule('late', (each) => reasonOf(each, 'LastRunSucceeded') === 'TimedOut')
    await remove('late')
  })

  it('fails when a user deletes the Job, which frees the schedule', async () => {
    await create('removed', { everySeconds: 2, concurrencyPolicy: 'Forbid', job: jobOf() })
    const [first] = await firstJobs('removed', 1)
    await home.client.delete(jobs, home.namespace, first!.metadata.name, { propagationPolicy: 'Background' })
    const object = await home.schedule('removed', (each) => reasonOf(each, 'LastRunSucceeded') === 'JobRemoved')
    expect(messageOf(object, 'LastRunSucceeded')).toContain(`job/${first!.metadata.name} was deleted`)
    await expect.poll(() => jobsOf('removed').then((all) => all.map(slotOf)), { timeout: 30_000 }).not.toContain(slotOf(first!))
    await remove('removed')
  })

  it('is taken back when no pod of it comes up in time', async () => {
    await create('pending', { everySeconds: 3, concurrencyPolicy: 'Forbid', pendingDeadlineSeconds: 1, job: jobOf() })
    const [first] = await firstJobs('pending', 1)
    await home.schedule('pending', (each) => reasonOf(each, 'LastRunSucceeded') === 'PendingDeadlineExceeded')
    await observeJob(home.client, at(first!), (each) => each === undefined)
    await remove('pending')
  })
})

it('a template that the API server refuses stalls the schedule in its words, and holds its slots', async () => {
  await create('refused', { everySeconds: 2, job: jobOf({ imagePullPolice: 'Always' }) })
  const object = await home.schedule('refused', (each) => reasonOf(each, 'Stalled') === 'TemplateInvalid')
  expect(messageOf(object, 'Stalled')).toMatch(
    /^spec\.job\.spec\.template\.spec\.containers\[0\]\.imagePullPolice: there is no such field\. Next: correct the name spec\.job\./u,
  )
  expect(reasonOf(object, 'Ready')).toBe('TemplateInvalid')
  expect(await jobsOf('refused')).toEqual([])
  await home.kubectl('patch', 'tsch', 'refused', '--type=merge', '-p', JSON.stringify({ spec: { job: jobOf() } }))
  await firstJobs('refused', 1)
  await remove('refused')
})

it('a quota postpones a slot, with StartPostponed, and the slot starts by itself later', async () => {
  const { client } = home
  const [namespace = ''] = home.others
  const quotas = { group: '', version: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', namespaced: true }
  const hard = { 'count/jobs.batch': '0', 'count/taskexecutions.taskmill.dev': '0' }
  await client.create(quotas, { metadata: { namespace, name: 'none' }, spec: { hard } } as never, { fieldManager: 'test' })
  // It counts once its controller has seen it.
  const isCounting = (each: unknown) => each !== undefined && 'hard' in ((each as { status?: object }).status ?? {})
  await observe(client, quotas, { namespace, name: 'none' }, isCounting)
  await createBroker(client, namespace, home.redis.address)
  await createSchedule(client, namespace, 'waits', { everySeconds: 2, concurrencyPolicy: 'Forbid', job: jobOf() })
  const seen = (holds: (schedule: TaskSchedule) => boolean) =>
    observe(client, taskSchedules, { namespace, name: 'waits' }, (each) => each !== undefined && holds(each))
  const postponed = await seen((each) => reasonOf(each, 'Ready') === 'StartPostponed')
  expect(messageOf(postponed!, 'Ready')).toMatch(/^a due slot waits: .*exceeded quota: none.* Next: raise the ResourceQuota/u)
  await client.delete(quotas, namespace, 'none')
  await seen((each) => reasonOf(each, 'Ready') === 'SlotScheduled' && each.status?.lastScheduleTime !== undefined)
  const { items } = await client.list<Job>(jobs, { namespace })
  expect(items).toHaveLength(1)
})

it('the Jobs go with the schedule, or stay with Orphan', async () => {
  for (const [name, deletionPolicy] of [
    ['deleted', 'Delete'],
    ['orphaned', 'Orphan'],
  ] as const)
    await create(name, { everySeconds: 2, concurrencyPolicy: 'Forbid', deletionPolicy, job: jobOf() })
  const [[gone], [orphan]] = await Promise.all([firstJobs('deleted', 1), firstJobs('orphaned', 1)])
  await Promise.all([gone!, orphan!].map((each) => runningPods(home.client, at(each))))
  expect(orphan?.metadata).not.toHaveProperty('ownerReferences')
  await Promise.all([remove('deleted'), remove('orphaned')])
  await observeJob(home.client, at(gone!), (each) => each === undefined)
  await expect.poll(() => home.commands.exists(`bull:.taskmill:ledger:default/${home.namespace}/deleted`), { timeout: 20_000 }).toBe(0)
  expect(await jobsOf('orphaned')).toHaveLength(1)
})

it('a run whose image cannot be pulled is said to block a Forbid schedule, and starts anew when the template is corrected', async () => {
  const image = (name: string) => jobOf({ image: name })
  await create('stuck', { everySeconds: 1, concurrencyPolicy: 'Forbid', job: image('acme:none') })
  const [first] = await firstJobs('stuck', 1)
  const [pod] = await runningPods(home.client, at(first!))
  const state = { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "acme:none": not found' } }
  const container = { name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state }
  await tellPod(home.client, pod!, { phase: 'Pending', containerStatuses: [container] } as never)
  const blocked = await home.schedule('stuck', ({ status }) => status?.reason === 'PodFailing')
  expect(messageOf(blocked, 'Blocked')).toMatch(
    /^run of slot .*: job\/stuck-.*: pod .*, container main: ImagePullBackOff: .*Next: correct the image.* With Forbid, slots are missed until that run ends; an edit of the template starts it anew$/u,
  )
  await home.schedule('stuck', ({ status }) => (status?.missedRuns ?? []).some(({ reason }) => reason === 'Overlap'))

  await home.kubectl('patch', 'tsch', 'stuck', '--type=merge', '-p', JSON.stringify({ spec: { job: image('acme:2') } }))
  const isNew = (job: Job | undefined): boolean => job !== undefined && job.metadata.uid !== first?.metadata.uid
  const second = await observeJob(home.client, at(first!), isNew)
  expect(second?.spec.template.spec.containers[0]).toMatchObject({ image: 'acme:2' })
  await endPods(home.client, at(first!), { exitCode: 0 })
  await home.schedule('stuck', ({ status }) => status?.lastResult === 'Succeeded')
  const freed = await home.schedule('stuck', ({ status }) => status?.reason !== 'PodFailing')
  expect(reasonOf(freed, 'Blocked')).toBeUndefined()
  await firstJobs('stuck', 2)
  expect(new Set((await jobsOf('stuck')).map(slotOf)).size).toBe((await jobsOf('stuck')).length)
  const { items } = await home.client.list(events, { namespace: home.namespace })
  const told = items.filter((event) => event.regarding?.name === 'stuck' && event.reason === 'RunBlocked')
  expect(told.map(({ series }) => series?.count ?? 1)).toEqual([1])
  await remove('stuck')
}, 60_000)

it('an edit leaves a run alone of which a container has run', async () => {
  await create('crashing', { everySeconds: 1, concurrencyPolicy: 'Forbid', job: jobOf({}, { backoffLimit: 6 }) })
  const [first] = await firstJobs('crashing', 1)
  const [pod] = await runningPods(home.client, at(first!))
  const state = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } }
  const lastState = { terminated: { exitCode: 3, reason: 'Error' } }
  const container = { name: 'main', image: '', imageID: '', ready: false, restartCount: 1, state, lastState }
  await tellPod(home.client, pod!, { phase: 'Running', containerStatuses: [container] } as never)
  const blocked = await home.schedule('crashing', ({ status }) => status?.reason === 'PodFailing')
  expect(messageOf(blocked, 'Blocked')).toContain(
    `it has begun, so an edit does not change it. Next, to end it: kubectl delete job/${first?.metadata.name}`,
  )
  const edited = await home.kubectl(
    'patch',
    'tsch',
    'crashing',
    '--type=merge',
    '-p',
    JSON.stringify({ spec: { job: jobOf({ image: 'acme:2' }) } }),
  )
  expect(edited).toContain('patched')
  await home.schedule('crashing', ({ metadata, status }) => status?.observedGeneration === metadata.generation)
  await home.schedule('crashing', ({ status }) =>
    (status?.missedRuns ?? []).some(({ reason, count }) => reason === 'Overlap' && count >= 3),
  )
  expect((await jobsOf('crashing')).map(({ metadata }) => metadata.uid)).toEqual([first?.metadata.uid])
  await remove('crashing')
}, 60_000)

it('a run of a graph keeps its Job, and the schedule says how to end it', async () => {
  await home.graph('held', { nodes: [{ name: 'a', job: jobOf({ image: 'acme:none' }) }] })
  await create('graph', { everySeconds: 1, concurrencyPolicy: 'Forbid', dependencyRef: { name: 'held' } })
  const ofGraph = () => home.client.list<Job>(jobs, { namespace: home.namespace, labelSelector: 'taskmill.dev/schedule=graph' })
  await expect.poll(() => ofGraph().then(({ items }) => items.length), { timeout: 30_000 }).toBe(1)
  const [job] = (await ofGraph()).items
  const [pod] = await runningPods(home.client, at(job!))
  const state = { waiting: { reason: 'ImagePullBackOff', message: 'not found' } }
  const container = { name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state }
  await tellPod(home.client, pod!, { phase: 'Pending', containerStatuses: [container] } as never)
  const blocked = await home.schedule('graph', ({ status }) => status?.reason === 'PodFailing')
  const run = job?.metadata.labels?.['taskmill.dev/execution']
  expect(messageOf(blocked, 'Blocked')).toContain(
    `it has begun, so an edit does not change it. Next, to end it: taskmill cancel tex/${run}`,
  )
  await remove('graph')
}, 60_000)

it('can be run by hand, also while it is suspended', async () => {
  await create('by-hand', { schedules: ['0 1 1 1 *'], suspend: true, job: jobOf({ args: ['$(slot)'] }) })
  await home.execute('now', { scheduleRef: { name: 'by-hand' }, slotTime: '2026-11-29T01:00:00Z' })
  const running = await home.execution('now', ({ status }) => status?.nodes?.[0]?.job !== undefined)
  const job = { namespace: home.namespace, name: running.status?.nodes?.[0]?.job ?? '' }
  const [pod] = await runningPods(home.client, job)
  expect(pod?.spec['containers']).toMatchObject([{ args: ['2026-11-29T01:00:00Z'] }])
  await endPods(home.client, job, { exitCode: 0 })
  const run = await home.execution('now', ended)
  expect(run.status).toMatchObject({ state: 'Succeeded', source: 'tsch/by-hand', schedule: 'by-hand' })
  expect(nodesOf(run)).toEqual(['job Succeeded'])
  expect(await jobsOf('by-hand')).toHaveLength(0)

  await home.execute('with-payload', { scheduleRef: { name: 'by-hand' }, payload: { a: 2 } })
  const refused = await home.execution('with-payload', ended)
  expect(refused.status?.failureMessage).toContain('tsch/by-hand creates a Kubernetes Job, which has no payload')
})
