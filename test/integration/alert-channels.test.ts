/** The notifications that channels receive of alerts, on a real API server and Redis, with real HTTP receivers. */
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { alertChannels, findCondition, secrets, taskAlerts, workerPools, type TaskAlert } from '../../src/api/index.ts'
import { namespaces } from '../support/cluster-client.ts'
import { createBroker, createExecution, createPool } from '../support/manifests.ts'
import { conditionOf, createAlert, createChannel, type Receiver, startReceiver } from '../support/alert-home.ts'
import { scheduleHome, type ScheduleHome } from './schedule-home.ts'

let home: ScheduleHome
let receiver: Receiver
/** `expect.poll` is not for tests that run at the same time. */
const patience = { timeout: 60_000, interval: 100 }
const bulk = (count: number): { name: string; data: object }[] => Array.from({ length: count }, () => ({ name: 'x', data: {} }))

beforeAll(async () => {
  ;[home, receiver] = await Promise.all([scheduleHome('alert-channels', { isAlone: true }), startReceiver()])
})

afterAll(async () => {
  await home?.stop()
  await receiver?.[Symbol.asyncDispose]()
})

/** A pool in a namespace of its own, whose queue has the same name, and alerts on its backlog. */
async function createPlace(namespace: string) {
  const { client } = home
  await client.create(namespaces, { metadata: { name: namespace } }, { fieldManager: 'test' })
  await createBroker(client, namespace, home.redis.address)
  await createPool(client, namespace, 'mail', { queues: [{ name: namespace }] })
  const place = (name: string) => ({ namespace, name })
  const spec = { target: { kind: 'WorkerPool', name: 'mail' }, queueBacklog: { above: 1 }, cooldownSeconds: 0 } as const
  const alert = (name: string, channels: readonly string[], more: Partial<TaskAlert['spec']> = {}) =>
    createAlert(client, namespace, name, { ...spec, channelRefs: channels.map((channel) => ({ name: channel })), ...more })
  return {
    client,
    namespace,
    place,
    spec,
    alert,
    queue: new Queue(namespace, { connection: { host: home.redis.host, port: home.redis.port } }),
    /** The path begins with what the receiver does with it. */
    channel: (name: string, path = '/ok') => receiver.createChannel(client, namespace, name, `${path}/${namespace}`),
    condition: (name: string, wanted: Parameters<typeof conditionOf>[3]) => conditionOf(client, taskAlerts, place(name), wanted),
    ofChannel: (name: string, wanted: Parameters<typeof conditionOf>[3]) => conditionOf(client, alertChannels, place(name), wanted),
    told: (name: string, ...states: readonly string[]) =>
      vi.waitFor(() => expect(receiver.storyOf(namespace, name)).toEqual(states), patience),
    override: (name: string, override: TaskAlert['spec']['override']) =>
      client.apply(taskAlerts, { metadata: place(name), spec: { override } }, { fieldManager: 'taskmill-cli', force: true }),
  }
}

/** Long enough for whatever is to be seen meanwhile; then the override is given an end that comes. */
const anHour = 3600
const inSeconds = (seconds: number): string => `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`

describe.concurrent('a channel', () => {
  it('that hangs, or refuses what it gets, keeps no other waiting, not even for the same alert', async () => {
    const { queue, channel, alert, condition, ofChannel, told } = await createPlace('slow')
    await Promise.all([channel('hangs', '/hangs'), channel('broken', '/broken'), channel('oncall')])
    await createChannel(home.client, 'slow', 'lines', { log: {} })
    const others = Array.from({ length: 20 }, (_, index) => `other-${index}`)
    await alert('all', ['hangs', 'broken', 'oncall', 'lines'])
    await Promise.all(others.map((name) => alert(name, ['hangs', 'oncall'])))
    await Promise.all(['all', ...others].map((name) => condition(name, 'Firing False WithinThreshold')))
    await queue.addBulk(bulk(3))
    // While requests to the one that hangs are still under way: there are 21 for it, four at once, of 10 s each.
    await Promise.all(['all', ...others].map((name) => told(name, 'firing')))
    expect(await ofChannel('oncall', 'LastDeliverySucceeded True Delivered')).toBeDefined()
    expect((await condition('all', 'Notified False DeliveryFailed')).message).toMatch(
      /broken: HTTP 500, attempt \d+, retry \d\d:\d\d:\d\dZ/u,
    )
    await ofChannel('broken', 'LastDeliverySucceeded False DeliveryFailed')
    expect(receiver.received.some(({ path }) => path === '/hangs/slow')).toBe(true)
    expect(home.operator.lines.some(({ msg, channel: to }) => msg === 'alert' && to === 'slow/lines')).toBe(true)
    await queue.drain()
    await Promise.all(['all', ...others].map((name) => told(name, 'firing', 'resolved')))
    await queue.close()
  })

  it('that does not exist is notified once it does', async () => {
    const { queue, channel, alert, condition, told } = await createPlace('missing')
    await alert('late', ['oncall'])
    const missing = await condition('late', 'Ready False ChannelNotFound')
    expect(missing.message).toBe('AlertChannel "oncall" does not exist in this namespace. Next: create it')
    await queue.addBulk(bulk(3))
    await condition('late', 'Firing True ThresholdCrossed')
    await condition('late', 'Notified False ChannelNotFound')
    await channel('oncall')
    await condition('late', 'Ready True Judged')
    await told('late', 'firing')
    await condition('late', 'Notified True Delivered')
    await queue.close()
  })

  it('takes its URL from a Secret by name, which may come later or be wrong first, and never shows it', async () => {
    const { client, namespace, place, queue, alert, condition, ofChannel, told } = await createPlace('secret')
    await createChannel(client, namespace, 'hidden', { webhook: { urlSecretRef: { name: 'hook', key: 'url' } } })
    await ofChannel('hidden', 'Ready False SecretNotFound')
    await alert('hidden', ['hidden'])
    await queue.addBulk(bulk(3))
    expect((await condition('hidden', 'Notified False DeliveryFailed')).message).toContain('Secret "hook" does not exist')
    const write = (url: string) =>
      client.apply(
        secrets,
        { metadata: place('hook'), data: { url: Buffer.from(url).toString('base64') } },
        { fieldManager: 'test', force: true },
      )
    await write('hunter2')
    const stalled = await ofChannel('hidden', 'Stalled True SecretInvalid')
    expect(stalled.message).not.toContain('hunter2')
    await write(`${receiver.url}/ok/s3cr3t`)
    await ofChannel('hidden', 'Ready True Usable')
    await told('hidden', 'firing')
    const { items } = await client.list(alertChannels, { namespace })
    expect(JSON.stringify([items, await client.get(taskAlerts, namespace, 'hidden'), home.operator.lines])).not.toMatch(/s3cr3t|hunter2/u)
    await queue.close()
  }, 180_000)
})

describe.concurrent('an alert', () => {
  it('that is silenced by an override notifies no channel, and notifies of its state when the override ends', async () => {
    const { client, place, spec, queue, channel, condition, told, override } = await createPlace('silent')
    await channel('oncall')
    const manifest = { ...spec, channelRefs: [{ name: 'oncall' }] }
    const apply = (part: Partial<TaskAlert['spec']>) =>
      client.apply(taskAlerts, { metadata: place('quiet'), spec: part }, { fieldManager: 'git', force: true })
    await apply(manifest)
    const silence = (until: string) => override('quiet', { silence: true, until, by: 'oncall', reason: 'drill' })
    const longUntil = inSeconds(anHour)
    await silence(longUntil)
    await queue.addBulk(bulk(3))
    await condition('quiet', 'Firing True ThresholdCrossed')
    expect((await condition('quiet', 'Notified False Silenced')).message).toContain('by oncall: "drill"')
    await apply({ ...manifest, severity: 'Critical' })
    const words = async () => (await conditionOf(client, workerPools, place('mail'), 'Alerting True AlertsFiring')).message
    await vi.waitFor(async () => expect(await words()).toContain('quiet (Critical): 3 jobs waiting > 1'), patience)
    expect(await words()).toContain(`acknowledged by oncall (silenced) until ${longUntil}`)
    expect((await client.get(taskAlerts, 'silent', 'quiet')).spec.override?.by).toBe('oncall')
    expect(receiver.storyOf('silent', 'quiet')).toEqual([])
    const until = inSeconds(3)
    await silence(until)
    await told('quiet', 'firing')
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
    expect((await client.get(taskAlerts, 'silent', 'quiet')).status).not.toHaveProperty('ackedBy')
    await queue.drain()
    await told('quiet', 'firing', 'resolved')
    await queue.close()
  })

  it('that is acknowledged does not notify when it fires anew, notifies when it is resolved, and notifies again when the override ends', async () => {
    const { client, place, queue, channel, alert, condition, told, override } = await createPlace('acked')
    await channel('oncall')
    await alert('known', ['oncall'])
    await queue.addBulk(bulk(3))
    await told('known', 'firing')
    const acknowledge = (until: string) => override('known', { acknowledge: true, until, by: 'oncall', reason: 'incident 4711' })
    const longUntil = inSeconds(anHour)
    await acknowledge(longUntil)
    await condition('known', 'Overridden True OverrideActive')
    const words = async () => (await conditionOf(client, workerPools, place('mail'), 'Alerting True AlertsFiring')).message
    await vi.waitFor(async () => expect(await words()).toContain(`acknowledged by oncall until ${longUntil}`), patience)
    expect((await client.get(taskAlerts, 'acked', 'known')).status?.ackedBy).toBe(`oncall until ${longUntil}`)
    await queue.drain()
    await told('known', 'firing', 'resolved')
    await queue.addBulk(bulk(3))
    await condition('known', 'Firing True ThresholdCrossed')
    await condition('known', 'Notified False Acknowledged')
    expect(receiver.storyOf('acked', 'known')).toEqual(['firing', 'resolved'])
    const until = inSeconds(3)
    await acknowledge(until)
    await told('known', 'firing', 'resolved', 'firing')
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
    await queue.close()
  })
})

describe('200 alerts', () => {
  it('at rest cost no write to the API server, and one read of the broker a pass', async () => {
    const { client, namespace, alert, condition, channel } = await createPlace('rest')
    await channel('oncall')
    const names = Array.from({ length: 200 }, (_, index) => `rest-${index}`)
    const failures = { queueBacklog: undefined, taskFailures: { moreThan: 5 }, windowSeconds: 600 } as unknown as Partial<TaskAlert['spec']>
    await Promise.all(names.map((name, index) => alert(name, ['oncall'], index % 2 === 0 ? {} : failures)))
    await Promise.all(names.map((name) => condition(name, 'Firing False WithinThreshold')))
    await conditionOf(client, workerPools, { namespace, name: 'mail' }, 'Alerting False NoAlertFiring')
    const versions = async (): Promise<readonly unknown[]> => {
      const lists = await Promise.all(
        [taskAlerts, alertChannels, workerPools].map((resource) => client.list(resource as typeof taskAlerts, { namespace })),
      )
      return lists.flatMap(({ items }) => items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]))
    }
    const scripts = async () => Number(/cmdstat_evalsha:calls=(\d+)/u.exec(await home.commands.info('commandstats'))?.[1] ?? 0)
    // What was begun a moment ago ends within the 3 s before.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const [before, ran, startedMs] = [await versions(), await scripts(), performance.now()]
    // Within 10 s: ten passes over the queues, and at most one over the counts; beside them the renewals of the dispatch lease in six namespaces.
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    const seconds = (performance.now() - startedMs) / 1000
    expect(await versions()).toEqual(before)
    const perSecond = ((await scripts()) - ran) / seconds
    console.log(`${perSecond.toFixed(1)} scripts a second with 200 alerts at rest`)
    expect(perSecond).toBeLessThan(20)
  }, 120_000)
})

describe('the broker has lost what it had counted', () => {
  it('an alert that fires keeps firing, and no channel is notified of a resolution', async () => {
    const { client, namespace, channel, alert, condition, told } = await createPlace('restored')
    await channel('oncall')
    let isBroken = true
    home.consume(namespace, () => (isBroken ? Promise.reject(new Error('no')) : Promise.resolve('yes')))
    const failures = { queueBacklog: undefined, taskFailures: { moreThan: 0 }, windowSeconds: 3600 } as unknown as Partial<
      TaskAlert['spec']
    >
    await alert('lost', ['oncall'], failures)
    const task = { type: 't', queue: namespace }
    await createExecution(client, namespace, 'bad', { task })
    await told('lost', 'firing')
    const counted = await home.commands.keys(`*counts*${namespace}*`)
    expect(counted.length).toBeGreaterThan(0)
    await home.commands.del(counted)
    isBroken = false
    await createExecution(client, namespace, 'good', { task })
    const held = await condition('lost', 'Firing True HeldUnknown')
    expect(held.message).toMatch(
      /with 1 failure of 1 run > 0 in 1h; it cannot be judged now and keeps firing: at least 0 failures of 1 run; the broker has lost/u,
    )
    expect(receiver.storyOf(namespace, 'lost')).toEqual(['firing'])
  }, 120_000)
})

describe('the broker is away', () => {
  it('an alert that fires keeps firing, and no channel is notified of a resolution', async () => {
    const { client, namespace, queue, channel, alert, condition, told } = await createPlace('blind')
    await channel('oncall')
    await alert('blind', ['oncall'])
    await queue.addBulk(bulk(3))
    await told('blind', 'firing')
    await queue.close()
    await home.redis.stop()
    const held = await condition('blind', 'Firing True HeldUnknown')
    expect(held.message).toMatch(/^fires since \S+ with 3 jobs waiting > 1; it cannot be judged now and keeps firing: /u)
    expect((await client.get(taskAlerts, namespace, 'blind')).status).toMatchObject({
      state: 'Firing',
      value: '3 jobs waiting',
      sequence: 1,
    })
    const pool = await client.get(workerPools, namespace, 'mail')
    expect(findCondition(pool.status?.conditions, 'Alerting')?.status).toBe('True')
    // Within the 5 s after that, no channel is notified of a resolution.
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect(receiver.storyOf(namespace, 'blind')).toEqual(['firing'])
  })
})
