/** What a schedule does to runs that are in its way: deadlines that cancel, slots that replace or wait for them, on each executor, with plain BullMQ workers and a real Job controller. */
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Job, jobs, taskExecutions, type TaskExecution, taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { observeJob, runningPods, tellPod } from '../support/job-pods.ts'
import { createSchedule } from '../support/manifests.ts'
import { executionHome, type ExecutionHome } from './execution-home.ts'
import { eraseJobs, messageOf, reasonOf, slotsOf } from './schedule-home.ts'

let home: ExecutionHome

beforeAll(async () => {
  home = await executionHome('schedule-policies')
})

afterAll(() => home?.stop())

const create = (name: string, spec: Parameters<typeof createSchedule>[3]): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, spec)
const remove = (name: string): Promise<unknown> => home.client.delete(taskSchedules, home.namespace, name)
const task = (queue: string, more: object = {}) => ({ type: 'work', queue, ...more })
const job = {
  spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'acme:1' }] } } },
}

async function jobsOf(schedule: string): Promise<readonly Job[]> {
  const { items } = await home.client.list<Job>(jobs, { namespace: home.namespace, labelSelector: `taskmill.dev/schedule=${schedule}` })
  return items
}

async function runsOf(schedule: string): Promise<readonly TaskExecution[]> {
  const { items } = await home.client.list(taskExecutions, {
    namespace: home.namespace,
    labelSelector: `taskmill.dev/schedule=${schedule}`,
  })
  return items.toSorted((a, b) => ((a.spec.slotTime ?? '') < (b.spec.slotTime ?? '') ? -1 : 1))
}

/** Its first Job, with a pod that is up. */
async function runningJob(schedule: string): Promise<{ readonly namespace: string; readonly name: string }> {
  await expect.poll(() => jobsOf(schedule).then((all) => all.length), { timeout: 30_000 }).toBeGreaterThan(0)
  const [first] = await jobsOf(schedule)
  const at = { namespace: home.namespace, name: first?.metadata.name ?? '' }
  const [pod] = await runningPods(home.client, at)
  const running = { name: 'main', image: 'none', imageID: '', ready: true, restartCount: 0, state: { running: {} } }
  await tellPod(home.client, pod!, {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [running],
  } as never)
  return at
}

describe('onDeadline: Cancel', () => {
  const cancelling = { everySeconds: 4, concurrencyPolicy: 'Forbid', runDeadlineSeconds: 1, onDeadline: 'Cancel' } as const
  const isOverdue = (each: TaskSchedule) => reasonOf(each, 'LastRunSucceeded') === 'RunDeadlineExceeded'

  it('deletes a Kubernetes Job that runs', async () => {
    await create('cancelled-job', { ...cancelling, everySeconds: 30, job })
    const at = await runningJob('cancelled-job')
    const object = await home.schedule('cancelled-job', isOverdue)
    expect(messageOf(object, 'LastRunSucceeded')).toMatch(/^slot \S+: "not ended within 1 s"\. Next: /u)
    await observeJob(home.client, at, (each) => each === undefined)
    await remove('cancelled-job')
  })

  it('cancels a graph, and its run is kept and deleted as after any other end', async () => {
    await home.graph('endless', { nodes: [{ name: 'wait', task: task('nobody') }] })
    await create('cancelled-graph', { ...cancelling, dependencyRef: { name: 'endless' } })
    await home.schedule('cancelled-graph', isOverdue)
    const [first] = await runsOf('cancelled-graph')
    const cancelled = await home.execution(first?.metadata.name ?? '', ({ status, metadata }) => {
      return status?.state === 'Cancelled' && metadata.annotations?.['taskmill.dev/recorded'] === 'true'
    })
    expect(cancelled.spec.desiredState).toBe('Cancelled')
    await home.schedule('cancelled-graph', ({ status }) => (status?.consecutiveFailures ?? 0) >= 2)
    await remove('cancelled-graph')
  })

  it('removes a job that waits for its next attempt', async () => {
    const queue = new Queue('retrying', { connection: { host: home.redis.host, port: home.redis.port } })
    const consumer = home.consume('retrying', () => Promise.reject(new Error('later')))
    await create('cancelled-retry', {
      ...cancelling,
      everySeconds: 60,
      task: task('retrying', { retry: { maxRetries: 3, initialDelaySeconds: 600 } }),
    })
    const object = await home.schedule('cancelled-retry', isOverdue)
    expect(messageOf(object, 'LastRunSucceeded')).not.toContain('continues')
    expect(consumer.runs).toHaveLength(1)
    expect(await queue.getDelayedCount()).toBe(0)
    await remove('cancelled-retry')
    await queue.close()
  })

  it('says that it cannot stop a job in a worker, and lets the next slot run', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('deaf', () => gate.promise)
    await create('cancelled-active', { ...cancelling, task: task('deaf') })
    const object = await home.schedule('cancelled-active', isOverdue)
    expect(messageOf(object, 'LastRunSucceeded')).toContain('which Taskmill cannot stop: it continues there')
    await consumer.ran(2)
    gate.resolve()
    await home.schedule('cancelled-active', (each) => reasonOf(each, 'LastRunSucceeded') === 'Succeeded')
    await remove('cancelled-active')
  })
})

describe('Replace', () => {
  const isReplaced = (each: TaskSchedule) => reasonOf(each, 'LastRunSucceeded') === 'Replaced'
  const notesOf = (name: string) => home.eventsOf(name, 'RunReplaced').then((found) => found.map(({ note }) => note))

  it('deletes a Kubernetes Job that runs, and creates the next, with one Event', async () => {
    await create('replaced-job', { everySeconds: 5, concurrencyPolicy: 'Replace', job })
    const at = await runningJob('replaced-job')
    const object = await home.schedule('replaced-job', isReplaced)
    expect(object.status).toMatchObject({ lastResult: 'Replaced', consecutiveFailures: 0 })
    await observeJob(home.client, at, (each) => each === undefined)
    await expect.poll(() => jobsOf('replaced-job').then((all) => all.length), { timeout: 20_000 }).toBe(1)
    await remove('replaced-job')
    const first = /^slot (\S+): "replaced by the run of slot /u.exec((await notesOf('replaced-job'))[0] ?? '')?.[1]
    expect(first).toBeDefined()
    expect((await notesOf('replaced-job')).filter((note) => note?.startsWith(`slot ${first}:`))).toHaveLength(1)
    expect(await home.eventsOf('replaced-job', 'RunFailed')).toEqual([])
  })

  it('cancels a graph', async () => {
    await home.graph('replaced', { nodes: [{ name: 'wait', task: task('nobody-replaced') }] })
    await create('replaced-graph', { everySeconds: 3, concurrencyPolicy: 'Replace', dependencyRef: { name: 'replaced' } })
    await home.schedule('replaced-graph', isReplaced)
    const [first] = await runsOf('replaced-graph')
    await home.execution(first?.metadata.name ?? '', ({ status, metadata }) => {
      return status?.state === 'Cancelled' && metadata.annotations?.['taskmill.dev/recorded'] === 'true'
    })
    await remove('replaced-graph')
  })

  it('removes a job that waits in its queue, so that there is one', async () => {
    const queue = new Queue('unworked', { connection: { host: home.redis.host, port: home.redis.port } })
    await create('replaced-waiting', { everySeconds: 2, concurrencyPolicy: 'Replace', task: task('unworked') })
    await home.schedule('replaced-waiting', isReplaced)
    await home.kubectl('patch', 'tsch', 'replaced-waiting', '--type=merge', '-p', '{"spec":{"suspend":true}}')
    await home.schedule('replaced-waiting', ({ status }) => status?.reason === 'Suspended' && status.activeRuns === 1)
    expect(await queue.getJobCounts('wait', 'delayed', 'active', 'prioritized')).toEqual({ wait: 1, delayed: 0, active: 0, prioritized: 0 })
    await remove('replaced-waiting')
    await queue.close()
  })

  it('says that a job in a worker continues, and its end changes nothing', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('busy', () => gate.promise)
    await create('replaced-active', { everySeconds: 3, concurrencyPolicy: 'Replace', task: task('busy') })
    await consumer.ran(2)
    const object = await home.schedule('replaced-active', isReplaced)
    expect(messageOf(object, 'LastRunSucceeded')).toContain('which Taskmill cannot stop: it continues there')
    gate.reject(new Error('too late'))
    await home.schedule('replaced-active', (each) => reasonOf(each, 'LastRunSucceeded') === 'AttemptsExhausted')
    await remove('replaced-active')
  })
})

describe('Queue', () => {
  it('lets due slots wait in order, says how many, and misses those beyond the limit', async () => {
    const gate = Promise.withResolvers<void>()
    let atOnce = 0
    let most = 0
    const consumer = home.consume('in-order', async () => {
      most = Math.max(most, ++atOnce)
      await gate.promise
      atOnce--
    })
    await create('in-order', { everySeconds: 2, concurrencyPolicy: 'Queue', queueLimit: 2, task: task('in-order') })
    const full = await home.schedule('in-order', ({ status }) => {
      return status?.waitingSlots === 2 && status.missedRuns?.some(({ reason }) => reason === 'QueueFull') === true
    })
    expect(full.status).toMatchObject({ activeRuns: 1, waitingSlots: 2 })
    expect(messageOf(full, 'Ready')).toMatch(/; 2 slots wait for run \S+, the first is \S+$/u)
    expect(consumer.runs).toHaveLength(1)
    await expect
      .poll(() => home.eventsOf('in-order', 'RunMissed').then((found) => found.map(({ note }) => note)), { timeout: 20_000 })
      .toContainEqual(expect.stringMatching(/QueueFull, run \S+ is active/u))
    gate.resolve()
    await consumer.ran(4)
    const slots = slotsOf(consumer)
    expect(slots.slice(0, 3)).toEqual([0, 2, 4].map((later) => (slots[0] ?? 0) + later))
    expect(slots).toEqual(slots.toSorted((a, b) => a - b))
    expect(most).toBe(1)
    await remove('in-order')
  })

  it('continues behind the last slot too when the job of the run before it is gone without a trace', async () => {
    const inSeconds = (seconds: number) => `${new Date(Date.now() + seconds * 1_000).toISOString().slice(0, 19)}Z`
    await create('robbed', { at: [inSeconds(3), inSeconds(4)], concurrencyPolicy: 'Queue', task: task('nobody-robbed') })
    const { status } = await home.schedule('robbed', (each) => each.status?.waitingSlots === 1 && each.status.activeRuns === 1)
    const [first] = status?.active ?? []
    const id = `tm/default/${home.namespace}/robbed/${first?.slotTime.replaceAll(/[-:]/gu, '')}`
    expect(await eraseJobs(home, id)).toBeGreaterThanOrEqual(2)
    const second = await home.schedule('robbed', (each) => each.status?.waitingSlots === undefined && each.status?.activeRuns === 1)
    expect(reasonOf(second, 'LastRunSucceeded')).toBe('JobRemoved')
    expect(second.status).toMatchObject({ dispatchedRuns: 2 })
    await remove('robbed')
  })

  it('misses what waits when the schedule is suspended, and leaves nothing behind when it is deleted', async () => {
    await create('halted', { everySeconds: 2, concurrencyPolicy: 'Queue', task: task('nobody-halted') })
    await home.schedule('halted', ({ status }) => (status?.waitingSlots ?? 0) >= 2)
    await home.kubectl('patch', 'tsch', 'halted', '--type=merge', '-p', '{"spec":{"suspend":true}}')
    const halted = await home.schedule('halted', ({ status }) => status?.reason === 'Suspended' && status.waitingSlots === undefined)
    expect(halted.status?.missedRuns?.find(({ reason }) => reason === 'Suspended')?.count).toBeGreaterThanOrEqual(2)
    await remove('halted')
    await expect.poll(() => home.commands.keys(`*${home.namespace}/halted*`), { timeout: 20_000 }).toEqual([])
  })
})

it('dependsOnPast: after a failure slots wait, and say why, until a run by hand succeeds', async () => {
  let isBroken = true
  const consumer = home.consume('chained', async () => {
    if (isBroken) throw new Error('the source is empty')
  })
  await create('chained', { everySeconds: 2, concurrencyPolicy: 'Queue', dependsOnPast: true, task: task('chained') })
  const waiting = await home.schedule('chained', (each) => {
    return (each.status?.waitingSlots ?? 0) >= 2 && reasonOf(each, 'Blocked') === 'PreviousRunFailed'
  })
  expect(consumer.runs).toHaveLength(1)
  expect(messageOf(waiting, 'Blocked')).toMatch(/^run of slot \S+: it did not succeed \(AttemptsExhausted\).* taskmill run tsch\/chained;/u)
  expect(messageOf(waiting, 'Ready')).toMatch(/slots wait for run \S+, which failed, the first is \S+$/u)
  isBroken = false
  await home.execute('by-hand', { scheduleRef: { name: 'chained' } })
  await consumer.ran(4)
  await home.schedule('chained', (each) => reasonOf(each, 'Blocked') === undefined && each.status?.lastResult === 'Succeeded')
  const slots = slotsOf(consumer).filter((each) => !Number.isNaN(each))
  expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 2 * index))
  await remove('chained')
})
