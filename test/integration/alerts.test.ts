/** Alerts from what goes wrong to what receivers hear, on a real API server and Redis, with a real HTTP receiver. */
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alertChannels, secrets, taskAlerts, taskSchedules, workerPools, findCondition, type TaskAlert } from '../../src/api/index.ts'
import { createPool, createSchedule } from '../support/manifests.ts'
import { startOperator } from '../support/operator-process.ts'
import { conditionOf, createAlert, createChannel, type Receiver, startReceiver } from './alert-home.ts'
import { scheduleHome, type ScheduleHome } from './schedule-home.ts'

let home: ScheduleHome
let receiver: Receiver
const namespace = 'default'
const place = (name: string) => ({ namespace, name })
const queueOf = (name: string): Queue => new Queue(name, { connection: { host: home.redis.host, port: home.redis.port } })
const bulk = (count: number): { name: string; data: object }[] => Array.from({ length: count }, () => ({ name: 'x', data: {} }))
const firing = (name: string, wanted: Parameters<typeof conditionOf>[3]) => conditionOf(home.client, taskAlerts, place(name), wanted)
const alertNow = (name: string): Promise<TaskAlert> => home.client.get(taskAlerts, namespace, name)
const told = (name: string, ...states: readonly string[]) => expect.poll(() => receiver.storyOf(name), { timeout: 30_000 }).toEqual(states)

beforeAll(async () => {
  ;[home, receiver] = await Promise.all([scheduleHome(), startReceiver()])
  await Promise.all([
    createChannel(home.client, namespace, 'oncall', { webhook: { url: `${receiver.url}/oncall` } }),
    createChannel(home.client, namespace, 'broken', { webhook: { url: `${receiver.url}/broken` } }),
    createChannel(home.client, namespace, 'hangs', { webhook: { url: `${receiver.url}/hangs` } }),
    createChannel(home.client, namespace, 'lines', { log: {} }),
  ])
})

afterAll(async () => {
  await home?.stop()
  await receiver?.[Symbol.asyncDispose]()
})

const channelRefs = [{ name: 'oncall' }]

describe('an alert on a pool', () => {
  it('fires on the backlog, shows on the pool beside its own conditions, resolves, and tells each once', async () => {
    const queue = queueOf('mail')
    await createPool(home.client, namespace, 'mail', { queues: [{ name: 'mail' }], scaling: { maxReplicas: 3 } })
    const target = { kind: 'WorkerPool', name: 'mail' } as const
    await createAlert(home.client, namespace, 'backlog', {
      target,
      queueBacklog: { above: 10 },
      severity: 'Critical',
      cooldownSeconds: 0,
      channelRefs: [{ name: 'hangs' }, { name: 'broken' }, { name: 'oncall' }, { name: 'lines' }],
      message: '$(target.name): $(value) jobs wait ($(limit))',
    })
    await createAlert(home.client, namespace, 'old', { target, queueLatency: { aboveSeconds: 1 }, channelRefs })
    await firing('backlog', 'Firing False WithinThreshold')
    await conditionOf(home.client, workerPools, place('mail'), 'Alerting False NoAlertFiring')

    await queue.addBulk(bulk(25))
    expect((await firing('backlog', 'Firing True ThresholdCrossed')).message).toBe('25 jobs waiting > 10')
    expect((await firing('old', 'Firing True ThresholdCrossed')).message).toMatch(/^oldest of 25 jobs waits since \S+, longer than 1s$/u)
    const alerting = await conditionOf(home.client, workerPools, place('mail'), 'Alerting True AlertsFiring')
    expect(alerting.message).toMatch(/backlog \(Critical\): 25 jobs waiting > 10, since \S+, not acknowledged/u)
    // A receiver that hangs and one that refuses keep nobody else waiting.
    await told('backlog', 'firing')
    expect(receiver.received.find(({ path }) => path === '/oncall')?.body).toMatchObject({
      version: '1',
      state: 'firing',
      severity: 'Critical',
      message: 'mail: 25 jobs wait (> 10)',
      value: 25,
      target,
    })
    expect((await firing('backlog', 'Notified False DeliveryFailed')).message).toMatch(
      /broken: HTTP 500, attempt \d+, retry \d\d:\d\d:\d\dZ/u,
    )
    await conditionOf(home.client, alertChannels, place('broken'), 'LastDeliverySucceeded False DeliveryFailed')

    // The pool goes on writing its own status: what the alerts said stays.
    await home.client.apply(
      workerPools,
      { metadata: place('mail'), spec: { scaling: { maxReplicas: 2 } } },
      { fieldManager: 'test-max', force: true },
    )
    await expect
      .poll(async () => (await home.client.get(workerPools, namespace, 'mail')).status?.desiredReplicas, { timeout: 20_000 })
      .toBe(2)
    const pool = await home.client.get(workerPools, namespace, 'mail')
    expect(findCondition(pool.status?.conditions, 'Alerting')?.reason).toBe('AlertsFiring')
    expect(findCondition(pool.status?.conditions, 'Ready')).toBeDefined()

    await queue.drain()
    await firing('backlog', 'Firing False WithinThreshold')
    await firing('old', 'Firing False WithinThreshold')
    await conditionOf(home.client, workerPools, place('mail'), 'Alerting False NoAlertFiring')
    await told('backlog', 'firing', 'resolved')
    await told('old', 'firing', 'resolved')
    const { status } = await alertNow('backlog')
    expect(status?.transitions?.map(({ state }) => state)).toEqual(['Firing', 'Resolved'])

    for (const name of ['backlog', 'old']) await home.client.delete(taskAlerts, namespace, name)
    await expect
      .poll(async () => findCondition((await home.client.get(workerPools, namespace, 'mail')).status?.conditions, 'Alerting'), {
        timeout: 20_000,
      })
      .toBeUndefined()
    await queue.close()
  })

  it('is acknowledged and silenced beside its manifest, and both end by themselves', async () => {
    const queue = queueOf('quiet')
    await createPool(home.client, namespace, 'quiet', { queues: [{ name: 'quiet' }] })
    const spec = { target: { kind: 'WorkerPool', name: 'quiet' }, queueBacklog: { above: 1 }, cooldownSeconds: 0, channelRefs } as const
    const apply = (manager: string, part: Partial<TaskAlert['spec']>) =>
      home.client.apply(taskAlerts, { metadata: place('quiet'), spec: part }, { fieldManager: manager, force: true })
    await apply('git', spec)
    const until = new Date(Date.now() + 12_000).toISOString()
    await apply('taskmill-cli', { override: { silence: true, until, by: 'oncall', reason: 'drill' } })
    await queue.addBulk(bulk(3))
    await firing('quiet', 'Firing True ThresholdCrossed')
    expect((await firing('quiet', 'Notified False Silenced')).message).toContain('by oncall: "drill"')
    await apply('git', { ...spec, severity: 'Critical' })
    const alerting = await conditionOf(home.client, workerPools, place('quiet'), 'Alerting True AlertsFiring')
    expect(alerting.message).toContain('acknowledged by oncall (silenced) until')
    expect((await alertNow('quiet')).spec.override?.by).toBe('oncall')
    expect(receiver.storyOf('quiet')).toEqual([])
    await told('quiet', 'firing')
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
    expect((await alertNow('quiet')).status).not.toHaveProperty('ackedBy')
    await queue.drain()
    await told('quiet', 'firing', 'resolved')
    await queue.close()
  })
})

describe('an alert on a schedule', () => {
  it('fires on failures, on their rate, on missed slots and on missing successes, and resolves', async () => {
    let isBroken = true
    home.consume('runs', () => (isBroken ? Promise.reject(new Error('no')) : Promise.resolve('yes')))
    home.consume('slow', () => new Promise((resolve) => setTimeout(resolve, 6_000)))
    await createSchedule(home.client, namespace, 'runs', { everySeconds: 1, task: { type: 'run', queue: 'runs' } })
    await createSchedule(home.client, namespace, 'slow', {
      everySeconds: 2,
      concurrencyPolicy: 'Forbid',
      task: { type: 'run', queue: 'slow' },
    })
    const target = { kind: 'TaskSchedule', name: 'runs' } as const
    await createAlert(home.client, namespace, 'failures', { target, taskFailures: { moreThan: 2 }, windowSeconds: 60, channelRefs })
    await createAlert(home.client, namespace, 'rate', {
      target,
      failureRate: { abovePercent: 50, minimumRuns: 5 },
      windowSeconds: 60,
      channelRefs,
    })
    await createAlert(home.client, namespace, 'missed', {
      target: { kind: 'TaskSchedule', name: 'slow' },
      scheduleMissed: { moreThan: 0 },
      windowSeconds: 60,
      channelRefs,
    })
    await createAlert(home.client, namespace, 'never', { target, noSuccess: {}, windowSeconds: 60, channelRefs })
    await createAlert(home.client, namespace, 'weekly', {
      target: { kind: 'TaskSchedule', name: 'weekly' },
      noSuccess: {},
      windowSeconds: 60,
      message: '$(target.nam',
    })
    await firing('weekly', 'Firing Unknown TargetNotFound')
    await firing('weekly', 'Stalled True InvalidMessage')
    await createSchedule(home.client, namespace, 'weekly', { schedules: ['0 1 * * 0'], task: { type: 'run', queue: 'runs' } })
    await firing('weekly', 'Stalled True ContradictoryWindow')

    expect((await firing('failures', 'Firing True ThresholdCrossed')).message).toMatch(/^\d+ failures of \d+ runs > 2 in 1m$/u)
    expect((await firing('rate', 'Firing True ThresholdCrossed')).message).toMatch(/^100% \((\d+)\/\1\) > 50% in 1m$/u)
    expect((await firing('missed', 'Firing True ThresholdCrossed')).message).toMatch(/^\d+ slots? missed > 0 in 1m$/u)
    expect((await conditionOf(home.client, taskSchedules, place('runs'), 'Alerting True AlertsFiring')).message).toMatch(/failures.*rate/u)
    expect((await firing('never', 'Firing True ThresholdCrossed')).message).toMatch(
      /^no success since its creation \S+, longer ago than 1m$/u,
    )

    isBroken = false
    await firing('never', 'Firing False WithinThreshold')
    await told('never', 'firing', 'resolved')
    await firing('rate', 'Firing False WithinThreshold')
    await home.client.apply(taskSchedules, { metadata: place('runs'), spec: { suspend: true } }, { fieldManager: 'test-stop', force: true })
    await firing('failures', 'Firing False WithinThreshold')
    await told('failures', 'firing', 'resolved')
    expect(receiver.storyOf('missed')).toEqual(['firing'])
  }, 300_000)
})

describe('an operator that is started anew', () => {
  it('goes on where the one before was: pending, firing, one notification per transition', async () => {
    const queue = queueOf('again')
    await createPool(home.client, namespace, 'again', { queues: [{ name: 'again' }] })
    const target = { kind: 'WorkerPool', name: 'again' } as const
    await createAlert(home.client, namespace, 'pending', {
      target,
      queueBacklog: { above: 1 },
      forSeconds: 12,
      cooldownSeconds: 0,
      channelRefs,
    })
    await createAlert(home.client, namespace, 'at-once', { target, queueBacklog: { above: 1 }, cooldownSeconds: 0, channelRefs })
    await firing('pending', 'Firing False WithinThreshold')
    await queue.addBulk(bulk(3))
    await firing('pending', 'Firing False Pending')
    await told('at-once', 'firing')
    await firing('at-once', 'Notified True Delivered')
    const since = (await alertNow('pending')).status?.sinceTime

    await home.operator.kill()
    home.operator = startOperator({ kubeconfig: home.controlPlane.kubeconfig })
    await home.operator.logged('leading')
    expect((await alertNow('pending')).status?.sinceTime).toBe(since)
    await told('pending', 'firing')
    const fired = (await alertNow('pending')).status?.transitions?.[0]?.changeTime ?? ''
    expect(Date.parse(fired) - Date.parse(since ?? '')).toBeGreaterThanOrEqual(12_000)

    await home.operator.stop()
    home.operator = startOperator({ kubeconfig: home.controlPlane.kubeconfig })
    await home.operator.logged('leading')
    await queue.drain()
    await told('pending', 'firing', 'resolved')
    await told('at-once', 'firing', 'resolved')
    // Each as one request: nothing was sent twice.
    const requests = receiver.received.filter(({ path, body }) => path === '/oncall' && ['pending', 'at-once'].includes(body.alert.name))
    expect(requests).toHaveLength(4)
    await conditionOf(home.client, workerPools, place('again'), 'Alerting False NoAlertFiring')
    await queue.close()
  })

  it('holds what fires while the broker is away, and sends no all-clear', async () => {
    const queue = queueOf('blind')
    await createPool(home.client, namespace, 'blind', { queues: [{ name: 'blind' }] })
    const target = { kind: 'WorkerPool', name: 'blind' } as const
    await createAlert(home.client, namespace, 'blind', { target, queueBacklog: { above: 1 }, channelRefs })
    await queue.addBulk(bulk(3))
    await told('blind', 'firing')
    await queue.close()
    await home.redis.stop()
    const held = await firing('blind', 'Firing True HeldUnknown')
    expect(held.message).toMatch(/^fires since \S+ with 3 jobs waiting > 1; it cannot be judged now, and stays: /u)
    expect((await alertNow('blind')).status).toMatchObject({ state: 'Firing', value: '3 jobs waiting', sequence: 1 })
    const pool = await home.client.get(workerPools, namespace, 'blind')
    expect(findCondition(pool.status?.conditions, 'Alerting')?.status).toBe('True')
    // Within the 5 s after that, nobody heard that it is resolved.
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect(receiver.storyOf('blind')).toEqual(['firing'])
  })
})

describe('a channel', () => {
  it('takes its URL from a Secret by name, which may come later or be wrong first, and never shows it', async () => {
    await createChannel(home.client, namespace, 'hidden', { webhook: { urlSecretRef: { name: 'hook', key: 'url' } } })
    await conditionOf(home.client, alertChannels, place('hidden'), 'Ready False SecretNotFound')
    const url = Buffer.from('hunter2').toString('base64')
    await home.client.create(secrets, { metadata: place('hook'), data: { url } }, { fieldManager: 'test' })
    const stalled = await conditionOf(home.client, alertChannels, place('hidden'), 'Stalled True SecretInvalid')
    expect(stalled.message).not.toContain('hunter2')
    await home.client.apply(
      secrets,
      { metadata: place('hook'), data: { url: Buffer.from(`${receiver.url}/s3cr3t`).toString('base64') } },
      { fieldManager: 'test', force: true },
    )
    await conditionOf(home.client, alertChannels, place('hidden'), 'Ready True Usable')
    const { items } = await home.client.list(alertChannels, { namespace })
    expect(JSON.stringify([items, home.operator.lines])).not.toMatch(/s3cr3t|hunter2/u)
  }, 180_000)
})
