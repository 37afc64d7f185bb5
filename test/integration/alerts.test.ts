/** What alerts find out, on a real API server and Redis: of pools, queues, schedules and graphs, each where it is suspended on purpose too. */
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  type Condition,
  type Event,
  events,
  findCondition,
  type KubeObject,
  type Resource,
  taskAlerts,
  taskDependencies,
  taskQueues,
  taskSchedules,
  workerPools,
  type TaskAlert,
} from '../../src/api/index.ts'
import { createBroker, createDependency, createExecution, createPool, createQueue, createSchedule } from '../support/manifests.ts'
import { namespaces, observe } from '../support/cluster-client.ts'
import { conditionOf, createAlert, type Receiver, startReceiver } from '../support/alert-home.ts'
import { scheduleHome, type ScheduleHome } from './schedule-home.ts'

let home: ScheduleHome
let receiver: Receiver
/** `expect.poll` is not for tests that run at the same time. */
const patience = { timeout: 60_000, interval: 100 }
const channelRefs = [{ name: 'oncall' }]
/** Long enough for whatever is to be seen meanwhile; then the override is given an end that comes. */
const anHourMs = 3_600_000
const bulk = (count: number): { name: string; data: object }[] => Array.from({ length: count }, () => ({ name: 'x', data: {} }))

beforeAll(async () => {
  ;[home, receiver] = await Promise.all([scheduleHome('alerts', { isAlone: true }), startReceiver()])
})

afterAll(async () => {
  await home?.stop()
  await receiver?.[Symbol.asyncDispose]()
})

/** A namespace of its own, with a TaskBroker and a channel; queues have its name. */
async function createPlace(namespace: string) {
  const { client } = home
  await client.create(namespaces, { metadata: { name: namespace } }, { fieldManager: 'test' })
  await createBroker(client, namespace, home.redis.address)
  await receiver.createChannel(client, namespace, 'oncall', `/${namespace}`)
  const place = (name: string) => ({ namespace, name })
  return {
    client,
    namespace,
    place,
    queueOf: (name: string): Queue => new Queue(name, { connection: { host: home.redis.host, port: home.redis.port } }),
    firing: (name: string, wanted: Parameters<typeof conditionOf>[3]) => conditionOf(client, taskAlerts, place(name), wanted),
    alerting: (kind: TargetKind, name: string, wanted: Parameters<typeof conditionOf>[3]) =>
      conditionOf(client, targets[kind], place(name), wanted),
    alert: (name: string, spec: Parameters<typeof createAlert>[3]) => createAlert(client, namespace, name, { channelRefs, ...spec }),
    alertNow: (name: string): Promise<TaskAlert> => client.get(taskAlerts, namespace, name),
    told: (name: string, ...states: readonly string[]) =>
      vi.waitFor(() => expect(receiver.storyOf(namespace, name)).toEqual(states), patience),
    /** Suspends it beside its manifest for so long, or changes for how long; when that ends. */
    async suspend(kind: TargetKind, name: string, forMs: number): Promise<number> {
      const until = new Date(Math.ceil((Date.now() + forMs) / 1000) * 1000)
      const spec = { override: { suspend: true, until: until.toISOString().replace('.000Z', 'Z'), by: 'oncall', reason: 'drill' } }
      const object = { metadata: place(name), spec } as unknown as KubeObject
      await client.apply(targets[kind], object, { fieldManager: 'taskmill-cli', force: true })
      return until.getTime()
    },
  }
}

type Target = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } }
type TargetKind = TaskAlert['spec']['target']['kind']
const targets: Readonly<Record<TargetKind, Resource<Target>>> = {
  WorkerPool: workerPools,
  TaskQueue: taskQueues,
  TaskSchedule: taskSchedules,
  TaskDependency: taskDependencies,
}

describe.concurrent('an alert', () => {
  it('on a pool: fires on the backlog, shows on the pool beside its own conditions, resolves, and tells each once', async () => {
    const { client, namespace, place, queueOf, firing, alerting, alert, alertNow, told } = await createPlace('pools')
    const queue = queueOf('pools')
    const target = { kind: 'WorkerPool', name: 'mail' } as const
    const message = '$(target.name): $(value) jobs wait ($(limit))'
    await alert('backlog', { target, queueBacklog: { above: 10 }, severity: 'Critical', cooldownSeconds: 0, message })
    await alert('old', { target, queueLatency: { aboveSeconds: 1 } })
    // In the order of a manifest: the pool comes a moment after what watches it.
    await createPool(client, namespace, 'mail', { queues: [{ name: 'pools' }], scaling: { maxReplicas: 3 } })
    await firing('backlog', 'Firing False WithinThreshold')
    await alerting('WorkerPool', 'mail', 'Alerting False NoAlertFiring')

    await queue.addBulk(bulk(25))
    expect((await firing('backlog', 'Firing True ThresholdCrossed')).message).toBe('25 jobs waiting > 10')
    expect((await firing('old', 'Firing True ThresholdCrossed')).message).toMatch(/^oldest of 25 jobs waits since \S+, longer than 1s$/u)
    const { message: words } = await alerting('WorkerPool', 'mail', 'Alerting True AlertsFiring')
    expect(words).toMatch(/backlog \(Critical\): 25 jobs waiting > 10, since \S+, not acknowledged/u)
    await told('backlog', 'firing')
    expect(receiver.received.find(({ body }) => body.alert.namespace === namespace && body.alert.name === 'backlog')?.body).toMatchObject({
      version: '1',
      state: 'firing',
      severity: 'Critical',
      message: 'mail: 25 jobs wait (> 10)',
      value: 25,
      target,
    })

    // The pool keeps writing its own status: the conditions of the alerts stay.
    await client.apply(
      workerPools,
      { metadata: place('mail'), spec: { scaling: { maxReplicas: 2 } } },
      { fieldManager: 'test-max', force: true },
    )
    const pool = await observe(client, workerPools, place('mail'), (object) => object?.status?.desiredReplicas === 2)
    expect(findCondition(pool?.status?.conditions, 'Alerting')?.reason).toBe('AlertsFiring')
    expect(findCondition(pool?.status?.conditions, 'Ready')).toBeDefined()

    await queue.drain()
    await firing('backlog', 'Firing False WithinThreshold')
    await firing('old', 'Firing False WithinThreshold')
    await alerting('WorkerPool', 'mail', 'Alerting False NoAlertFiring')
    await told('backlog', 'firing', 'resolved')
    await told('old', 'firing', 'resolved')
    expect((await alertNow('backlog')).status?.transitions?.map(({ state }) => state)).toEqual(['Firing', 'Resolved'])
    // Events are written one after the other, behind what matters more.
    const reasons = async () => {
      const { items } = await client.list<Event>(events, { namespace })
      return new Set(items.filter(({ regarding }) => regarding.kind === 'TaskAlert').map(({ reason }) => reason))
    }
    await expect.poll(reasons, { timeout: 20_000 }).toEqual(new Set(['AlertFiring', 'AlertResolved']))
    for (const name of ['backlog', 'old']) await client.delete(taskAlerts, namespace, name)
    await observe(client, workerPools, place('mail'), (object) => findCondition(object?.status?.conditions, 'Alerting') === undefined)
    await queue.close()
  })

  it('on a pool or a queue that is suspended on purpose begins no sooner to fire than that ends', async () => {
    const { client, namespace, queueOf, firing, alerting, alert, told, suspend } = await createPlace('asleep')
    const [queue, other] = [queueOf('asleep'), queueOf('asleep-too')]
    await createPool(client, namespace, 'mail', { queues: [{ name: 'asleep' }, { name: 'asleep-too' }] })
    await createQueue(client, namespace, 'mail', { queueName: 'asleep', suspend: true })
    await createQueue(client, namespace, 'later', { queueName: 'asleep-too' })
    const pool = { kind: 'WorkerPool', name: 'mail' } as const
    await alert('pool', { target: pool, queueBacklog: { above: 2 } })
    await alert('queue', { target: { kind: 'TaskQueue', name: 'mail' }, queueLatency: { aboveSeconds: 1 } })
    await alert('later', { target: { kind: 'TaskQueue', name: 'later' }, queueBacklog: { above: 2 } })
    await firing('pool', 'Firing False WithinThreshold')
    // Jobs that the operator sees before the suspension make an alert fire, and it goes on firing then.
    await alerting('TaskQueue', 'mail', 'Ready True Suspended')
    await queue.addBulk(bulk(3))
    const because = 'but TaskQueue "mail" is suspended (spec.suspend)'
    expect((await firing('pool', 'Firing Unknown TargetSuspended')).message).toBe(`3 jobs waiting, ${because}`)
    expect((await firing('queue', 'Firing Unknown TargetSuspended')).message).toMatch(
      /^oldest of 3 jobs waits since \S+, but TaskQueue "mail"/u,
    )
    await alerting('TaskQueue', 'mail', 'Alerting False NoAlertFiring')

    await suspend('TaskQueue', 'later', anHourMs)
    await alerting('TaskQueue', 'later', 'Ready True Suspended')
    await other.addBulk(bulk(3))
    const held = await firing('later', 'Firing Unknown TargetSuspended')
    expect(held.message).toMatch(/^3 jobs waiting, but TaskQueue "later" is suspended until \S+ by oncall: "drill"$/u)
    const endsAtMs = await suspend('TaskQueue', 'later', 3_000)
    const fired = await firing('later', 'Firing True ThresholdCrossed')
    expect(Date.parse(fired.lastTransitionTime)).toBeGreaterThanOrEqual(endsAtMs)
    expect((await alerting('TaskQueue', 'later', 'Alerting True AlertsFiring')).message).toContain('later (Warning): 3 jobs waiting > 2')
    // Of the pool's two queues one is worked on: what waits there counts.
    await firing('pool', 'Firing True ThresholdCrossed')
    await told('pool', 'firing')
    await told('later', 'firing')
    expect(receiver.storyOf(namespace, 'queue')).toEqual([])
    await Promise.all([queue.close(), other.close()])
  })

  it('on a graph: fires on its runs that fail, shows on it, and resolves when they are out of the window', async () => {
    const { client, namespace, firing, alerting, alert, told } = await createPlace('graphs')
    let isBroken = true
    home.consume('graphs', () => (isBroken ? Promise.reject(new Error('no')) : Promise.resolve('yes')))
    await createDependency(client, namespace, 'morning', { nodes: [{ name: 'one', task: { type: 't', queue: 'graphs' } }] })
    const target = { kind: 'TaskDependency', name: 'morning' } as const
    await alert('failing', { target, taskFailures: { moreThan: 0 }, windowSeconds: 60 })
    await alert('rate', { target, failureRate: { abovePercent: 60, minimumRuns: 1 }, windowSeconds: 3600 })
    await firing('failing', 'Firing False WithinThreshold')
    await firing('rate', 'Firing Unknown TooFewRuns')
    await createExecution(client, namespace, 'bad', { dependencyRef: { name: 'morning' } })
    expect((await firing('failing', 'Firing True ThresholdCrossed')).message).toBe('1 failure of 1 run > 0 in 1m')
    await firing('rate', 'Firing True ThresholdCrossed')
    await alerting('TaskDependency', 'morning', 'Alerting True AlertsFiring')
    isBroken = false
    await createExecution(client, namespace, 'good', { dependencyRef: { name: 'morning' } })
    expect((await firing('rate', 'Firing False WithinThreshold')).message).toBe('50% (1/2); fires when > 60% in 1h')
    await told('rate', 'firing', 'resolved')
    await firing('failing', 'Firing False WithinThreshold')
    await told('failing', 'firing', 'resolved')
  }, 200_000)

  it('on a schedule: fires on failures, on their rate, on missed slots and on missing successes, and resolves', async () => {
    const { client, namespace, place, firing, alerting, alert, told } = await createPlace('schedules')
    let isBroken = true
    home.consume('runs', () => (isBroken ? Promise.reject(new Error('no')) : Promise.resolve('yes')))
    home.consume('slow', () => new Promise((resolve) => setTimeout(resolve, 6_000)))
    await createSchedule(client, namespace, 'runs', { everySeconds: 1, task: { type: 'run', queue: 'runs' } })
    const slow = { everySeconds: 2, concurrencyPolicy: 'Forbid', task: { type: 'run', queue: 'slow' } } as const
    await createSchedule(client, namespace, 'slow', slow)
    const target = { kind: 'TaskSchedule', name: 'runs' } as const
    await alert('failures', { target, taskFailures: { moreThan: 2 }, windowSeconds: 60 })
    await alert('rate', { target, failureRate: { abovePercent: 50, minimumRuns: 5 }, windowSeconds: 60 })
    await alert('missed', { target: { kind: 'TaskSchedule', name: 'slow' }, scheduleMissed: { moreThan: 0 }, windowSeconds: 60 })
    await alert('never', { target, noSuccess: {}, windowSeconds: 60 })
    const weekly = { kind: 'TaskSchedule', name: 'weekly' } as const
    await alert('weekly', {
      target: weekly,
      failureRate: { abovePercent: 50, minimumRuns: 20 },
      windowSeconds: 60,
      message: '$(target.nam',
    })
    await firing('weekly', 'Firing Unknown TargetNotFound')
    await firing('weekly', 'Stalled True InvalidMessage')
    await createSchedule(client, namespace, 'weekly', { schedules: ['0 1 * * 0'], task: { type: 'run', queue: 'runs' } })
    await firing('weekly', 'Stalled True UnreachableThreshold')
    await firing('weekly', 'Firing Unknown TooFewRuns')

    expect((await firing('failures', 'Firing True ThresholdCrossed')).message).toMatch(/^\d+ failures of \d+ runs > 2 in 1m$/u)
    expect((await firing('rate', 'Firing True ThresholdCrossed')).message).toMatch(/^100% \((\d+)\/\1\) > 50% in 1m$/u)
    expect((await firing('missed', 'Firing True ThresholdCrossed')).message).toMatch(/^\d+ slots? missed > 0 in 1m$/u)
    const words = async () => (await alerting('TaskSchedule', 'runs', 'Alerting True AlertsFiring')).message
    await vi.waitFor(async () => expect(await words()).toMatch(/failures.*rate/u), patience)
    const never = await firing('never', 'Firing True ThresholdCrossed')
    expect(never.message).toMatch(/^no success since its creation \S+, next expected by \S+, longer ago than 1m$/u)

    isBroken = false
    await firing('never', 'Firing False WithinThreshold')
    await told('never', 'firing', 'resolved')
    await firing('rate', 'Firing False WithinThreshold')
    await client.apply(taskSchedules, { metadata: place('runs'), spec: { suspend: true } }, { fieldManager: 'test-stop', force: true })
    await firing('failures', 'Firing False WithinThreshold')
    await told('failures', 'firing', 'resolved')
    expect(receiver.storyOf(namespace, 'missed')).toEqual(['firing'])
  }, 300_000)

  it('on a schedule that is suspended by an override expects no success until that ends, and then within its whole window', async () => {
    const { client, namespace, firing, alert, alertNow, suspend } = await createPlace('paused')
    await createSchedule(client, namespace, 'sync', { everySeconds: 30, task: { type: 'run', queue: 'nobody' } })
    await suspend('TaskSchedule', 'sync', anHourMs)
    await alert('none', { target: { kind: 'TaskSchedule', name: 'sync' }, noSuccess: {}, windowSeconds: 60 })
    const held = await firing('none', 'Firing Unknown TargetSuspended')
    expect(held.message).toMatch(
      /^no success since its creation \S+, next expected by \S+, but TaskSchedule "sync" is suspended until \S+ by oncall: "drill"$/u,
    )
    const endsAtMs = await suspend('TaskSchedule', 'sync', 3_000)
    const resumed = await firing('none', 'Firing False WithinThreshold')
    expect(resumed.message).toMatch(
      /^no success since its creation \S+, suspended until \S+, next expected by \S+; fires when longer ago than 1m$/u,
    )
    expect(Date.parse(resumed.lastTransitionTime)).toBeGreaterThanOrEqual(endsAtMs)
    const fired = await firing('none', 'Firing True ThresholdCrossed')
    expect(Date.parse(fired.lastTransitionTime) - endsAtMs).toBeGreaterThanOrEqual(60_000)
    expect(Date.parse((await alertNow('none')).status?.resumedTime ?? '')).toBeGreaterThanOrEqual(endsAtMs)
  }, 300_000)
})
