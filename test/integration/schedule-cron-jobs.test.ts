/**
 * Schedules with the engine CronJob, on a real API server with the real CronJob and Job controllers. A CronJob has no shorter interval than a
 * minute, so all schedules of this file live through the same few minutes.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type CronJob, cronJobs, type Job, jobs, type TaskSchedule, taskSchedules } from '../../src/api/index.ts'
import { annotations, type Slot } from '../../src/contract/index.ts'
import { isAcknowledged } from '../../src/workloads/index.ts'
import { startOwnCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { endPods, observeJob } from '../support/job-pods.ts'
import { createSchedule } from '../support/manifests.ts'
import { messageOf, reasonOf, type ScheduleHome, scheduleHome } from './schedule-home.ts'

type OwnCluster = Awaited<ReturnType<typeof startOwnCluster>>
let cluster: OwnCluster
let home: ScheduleHome

beforeAll(async () => {
  cluster = await startOwnCluster()
  home = await scheduleHome('cron-jobs', { cluster })
})

afterAll(() => home?.stop())

const minutely = ['* * * * *']
const template = { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'acme:1' }] } }
const job = { spec: { backoffLimit: 0, template } }
// Beside other tests, expect.poll does not know which one it belongs to.
const soon = <T>(what: () => Promise<T>): Promise<T> => vi.waitFor(what, { timeout: 30_000, interval: 100 })
type Spec = Parameters<typeof createSchedule>[3]
const create = (name: string, spec: Spec = {}): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, { engine: 'CronJob', schedules: minutely, job, ...spec })
const patch = (name: string, spec: object): Promise<TaskSchedule> =>
  home.client.patch(taskSchedules, { metadata: { namespace: home.namespace, name }, spec }, { fieldManager: 'test' })
const annotate = (name: string, adopt: string): Promise<TaskSchedule> =>
  home.client.patch(
    taskSchedules,
    { metadata: { namespace: home.namespace, name, annotations: { [annotations.adopt]: adopt } } },
    {
      fieldManager: 'test',
    },
  )
const edit = (name: string, spec: object): Promise<CronJob> =>
  home.client.patch(cronJobs, { metadata: { namespace: home.namespace, name }, spec }, { fieldManager: 'somebody' })
const cronJob = (name: string, holds: (object: CronJob | undefined) => boolean): Promise<CronJob | undefined> =>
  observe(home.client, cronJobs, { namespace: home.namespace, name }, holds)
const isInStep = (object: CronJob | undefined): boolean => object?.metadata.annotations?.[annotations.applied] !== undefined
const inStep = (name: string): Promise<CronJob | undefined> => cronJob(name, isInStep)

async function jobsOf(name: string): Promise<readonly Job[]> {
  const { items } = await home.client.list<Job>(jobs, { namespace: home.namespace, labelSelector: `taskmill.dev/schedule=${name}` })
  return items
}
/** By the names of the CronJob controller, and for Taskmill's own by their ids. */
function slotOf({ metadata }: Job): Slot {
  const id = metadata.annotations?.[annotations.jobId] ?? ''
  const named = /(....)(..)(..)T(..)(..)(..)Z$/u.exec(id)
  if (named === null) return Number(metadata.name.replace(/^.*-/u, '')) * 60
  const [, year, month, day, hour, minute, second] = named
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000
}
const slotsOf = async (name: string): Promise<readonly Slot[]> => (await jobsOf(name)).map(slotOf).toSorted((a, b) => a - b)
const dispatched = (count: number) => (object: TaskSchedule) => (object.status?.dispatchedRuns ?? 0) >= count
const missed = (object: TaskSchedule) => Object.fromEntries((object.status?.missedRuns ?? []).map(({ reason, count }) => [reason, count]))
const missedCount = (object: TaskSchedule): number => Object.values(missed(object)).reduce((sum, count) => sum + count, 0)

describe.concurrent('a schedule with the engine CronJob', () => {
  it('creates the CronJob from its template, and follows its Jobs into the status', async () => {
    const schedule = await create('followed', { schedules: ['* * * * 0-7'], startingDeadlineSeconds: 100, timeZone: 'Europe/Berlin' })
    const made = await inStep('followed')
    expect(made?.metadata.ownerReferences).toMatchObject([{ kind: 'TaskSchedule', uid: schedule.metadata.uid }])
    expect(made?.spec).toMatchObject({
      schedule: '* * * * 0,1,2,3,4,5,6',
      timeZone: 'Europe/Berlin',
      concurrencyPolicy: 'Allow',
      startingDeadlineSeconds: 100,
      suspend: false,
    })
    const first = await home.schedule('followed', dispatched(1))
    const [run] = await jobsOf('followed')
    expect(run!.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']).toBeDefined()
    expect(Date.parse(first.status?.lastScheduleTime ?? '') / 1000).toBe(slotOf(run!))
    await home.schedule('followed', ({ status }) => status?.active?.[0]?.run === `job/${run!.metadata.name}`)
    await endPods(home.client, { namespace: home.namespace, name: run!.metadata.name }, { exitCode: 3, message: 'the disk is full' })
    const failed = await home.schedule('followed', (each) => reasonOf(each, 'LastRunSucceeded') === 'Failed')
    expect(failed.status?.lastFailureMessage).toContain('the disk is full')
    const acknowledged = await observeJob(
      home.client,
      { namespace: home.namespace, name: run!.metadata.name },
      (found) => found !== undefined && isAcknowledged(found),
    )
    expect(acknowledged?.spec.ttlSecondsAfterFinished).toBe(7 * 86_400)
    expect(reasonOf(failed, 'Ready')).toBe('SlotScheduled')
    expect(failed.status?.nextRuns).toHaveLength(5)
  }, 150_000)

  it('repairs an edit by hand, and says what it was', async () => {
    await create('edited')
    await inStep('edited')
    await edit('edited', { schedule: '5 5 * * *', jobTemplate: { spec: { template: { spec: { nodeSelector: { disk: 'ssd' } } } } } })
    const repaired = await cronJob('edited', (each) => each?.spec.schedule === '* * * * *')
    expect(repaired?.spec.jobTemplate.spec.template.spec['nodeSelector']).toBeUndefined()
    await soon(async () =>
      expect((await home.eventsOf('edited', 'Repaired')).map(({ note }) => note).join()).toMatch(
        /spec\.schedule is "5 5 \* \* \*", not "\* \* \* \* \*"; .*nodeSelector was added/u,
      ),
    )
  }, 60_000)

  it('with driftPolicy Report, leaves the edit and says what differs, until it may repair it', async () => {
    await create('reported', { driftPolicy: 'Report' })
    await inStep('reported')
    await edit('reported', { concurrencyPolicy: 'Forbid' })
    const drifted = await home.schedule('reported', (each) => reasonOf(each, 'Drifted') === 'Edited')
    expect(messageOf(drifted, 'Drifted')).toMatch(/spec\.concurrencyPolicy is "Forbid", not "Allow"\. Next: kubectl patch tsch reported/u)
    expect(reasonOf(drifted, 'Ready')).toBe('SlotScheduled')
    expect((await cronJob('reported', isInStep))?.spec.concurrencyPolicy).toBe('Forbid')
    await patch('reported', { driftPolicy: 'Repair' })
    await cronJob('reported', (each) => each?.spec.concurrencyPolicy === 'Allow')
    await home.schedule('reported', (each) => reasonOf(each, 'Drifted') === undefined)
  }, 60_000)

  it('creates a CronJob again that a user deleted, and loses no slot', async () => {
    const schedule = await create('deleted')
    const before = await inStep('deleted')
    await home.client.delete(cronJobs, home.namespace, 'deleted', { propagationPolicy: 'Background' })
    await cronJob('deleted', (each) => isInStep(each) && each?.metadata.uid !== before?.metadata.uid)
    const object = await home.schedule('deleted', dispatched(2))
    const slots = await slotsOf('deleted')
    const first = Math.floor(Date.parse(schedule.metadata.creationTimestamp ?? '') / 60_000) * 60 + 60
    expect(slots).toEqual(slots.map((_, index) => first + 60 * index))
    expect(missedCount(object)).toBe(0)
  }, 200_000)

  it('takes over a CronJob that exists only when its user confirms, after a dry run that says what changes', async () => {
    const theirs = { schedule: '* * * * *', suspend: false, jobTemplate: { spec: { template } } }
    await home.client.create(
      cronJobs,
      { metadata: { namespace: home.namespace, name: 'adopted' }, spec: theirs },
      { fieldManager: 'somebody' },
    )
    await create('adopted', { concurrencyPolicy: 'Forbid' })
    const taken = await home.schedule('adopted', (each) => reasonOf(each, 'Stalled') === 'NameTaken')
    expect(messageOf(taken, 'Stalled')).toContain('kubectl annotate --overwrite tsch adopted taskmill.dev/adopt=DryRun')
    expect(await cronJob('adopted', () => true)).toMatchObject({ spec: { concurrencyPolicy: 'Allow' } })
    await annotate('adopted', 'DryRun')
    const dry = await home.schedule('adopted', (each) => reasonOf(each, 'Stalled') === 'AdoptionDryRun')
    expect(messageOf(dry, 'Stalled')).toContain('spec.concurrencyPolicy is "Allow", not "Forbid"')
    expect((await cronJob('adopted', () => true))?.metadata.labels).toBeUndefined()
    await annotate('adopted', 'Confirm')
    const adopted = await inStep('adopted')
    expect(adopted?.spec.concurrencyPolicy).toBe('Forbid')
    const object = await home.schedule('adopted', dispatched(1))
    expect(reasonOf(object, 'Stalled')).toBeUndefined()
    expect(missedCount(object)).toBe(0)
    await soon(async () => expect(await home.eventsOf('adopted', 'Adopted')).toHaveLength(1))
  }, 150_000)

  it('changes the engine there and back with each slot once', async () => {
    const schedule = await create('switched')
    await inStep('switched')
    const first = await home.schedule('switched', dispatched(1))
    expect(missedCount(first)).toBe(0)
    await patch('switched', { engine: 'Taskmill' })
    await cronJob('switched', (each) => each === undefined || each.metadata.deletionTimestamp !== undefined)
    await home.schedule('switched', dispatched(2))
    await patch('switched', { engine: 'CronJob' })
    await inStep('switched')
    const last = await home.schedule('switched', dispatched(3))
    const slots = await slotsOf('switched')
    const start = Math.floor(Date.parse(schedule.metadata.creationTimestamp ?? '') / 60_000) * 60 + 60
    expect(slots).toEqual(slots.map((_, index) => start + 60 * index))
    expect(missedCount(last)).toBe(0)
  }, 280_000)

  it('starts nothing of a suspension when it ends', async () => {
    await create('suspended')
    await inStep('suspended')
    await patch('suspended', { suspend: true })
    await cronJob('suspended', (each) => each?.spec.suspend === true)
    await home.schedule('suspended', (each) => reasonOf(each, 'Suspended') === 'BySpec')
    const before = await slotsOf('suspended')
    await new Promise((resolve) => setTimeout(resolve, 60_000 - (Date.now() % 60_000) + 15_000))
    expect(await slotsOf('suspended')).toEqual(before)
    const resumedAt = Date.now() / 1000
    await patch('suspended', { suspend: false })
    await cronJob('suspended', (each) => each?.spec.suspend === false)
    const object = await home.schedule('suspended', dispatched(before.length + 1))
    expect((await slotsOf('suspended')).slice(before.length).every((slot) => slot > resumedAt)).toBe(true)
    expect(missed(object)).toEqual({ Suspended: 1 })
  }, 200_000)

  it('leaves the CronJob there with deletionPolicy Orphan, and a schedule of the same name continues it', async () => {
    const spec = { deletionPolicy: 'Orphan' } as const
    await create('orphaned', spec)
    const before = await inStep('orphaned')
    expect(before?.metadata.ownerReferences ?? []).toEqual([])
    await home.client.delete(taskSchedules, home.namespace, 'orphaned')
    await home.schedule('followed', ({ status }) => status?.observedGeneration === 1)
    await create('orphaned', spec)
    const object = await home.schedule('orphaned', dispatched(1))
    expect(reasonOf(object, 'Ready')).toBe('SlotScheduled')
    expect((await inStep('orphaned'))?.metadata.uid).toBe(before?.metadata.uid)
  }, 150_000)

  it('counts a run that the CronJob replaced as neither succeeded nor failed', async () => {
    await create('replaced', { concurrencyPolicy: 'Replace' })
    const object = await home.schedule('replaced', (each) => reasonOf(each, 'LastRunSucceeded') === 'Replaced')
    expect(object.status).toMatchObject({ lastResult: 'Replaced', consecutiveFailures: 0 })
    expect(object.status?.lastFailureTime).toBeUndefined()
    expect(missedCount(object)).toBe(0)
  }, 200_000)

  it('keeps the Jobs of a long name below the limit, and goes with its schedule', async () => {
    const name = `long-${'x'.repeat(58)}`
    await create(name)
    const found = await soon(async () => {
      const { items } = await home.client.list<CronJob>(cronJobs, {
        namespace: home.namespace,
        labelSelector: `taskmill.dev/schedule=${name}`,
      })
      expect(items).toHaveLength(1)
      return items[0]!
    })
    expect(found.metadata.name.length).toBeLessThanOrEqual(52)
    await home.schedule(name, dispatched(1))
    const [run] = await jobsOf(name)
    expect(run!.metadata.name.length).toBeLessThanOrEqual(63)
    await home.client.delete(taskSchedules, home.namespace, name)
    await observeJob(home.client, { namespace: home.namespace, name: run!.metadata.name }, (each) => each === undefined)
  }, 150_000)
})

it('a controller that was away makes up for the newest slot, and the others count as missed', async () => {
  await create('outage')
  await inStep('outage')
  await cluster.controlPlane.killControllerManager()
  await new Promise((resolve) => setTimeout(resolve, 60_000 - (Date.now() % 60_000) + 5_000))
  const late = await home.schedule('outage', (each) => reasonOf(each, 'Late') === 'SlotOverdue')
  expect(messageOf(late, 'Late')).toContain('kubectl describe cronjob outage')
  await new Promise((resolve) => setTimeout(resolve, 60_000 - (Date.now() % 60_000) + 1_000))
  cluster.controlPlane.startControllerManager()
  const object = await home.schedule('outage', dispatched(1))
  const [slot = 0] = await slotsOf('outage')
  expect(Date.parse(object.status?.lastScheduleTime ?? '') / 1000).toBe(slot)
  const counted = await home.schedule('outage', (each) => missedCount(each) > 0)
  expect(Object.keys(missed(counted)).every((reason) => reason === 'NotCreated' || reason === 'Superseded')).toBe(true)
}, 280_000)
