/**
 * What people do to schedules while they run, and what schedules do to themselves: edits, suspension, overlap, deadlines, deletion. Each test has
 * schedules and queues of its own, and mostly waits for slots: they run at the same time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { taskBrokers, taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { lint } from '../../src/lint/index.ts'
import { parseYaml, valueOf } from '../../src/lint/yaml.ts'
import { badSchedules } from '../lint/misunderstood.ts'
import { createSchedule } from '../support/manifests.ts'
import { monitorCommands } from '../support/redis-monitor.ts'
import { messageOf, reasonOf, scheduleHome, type ScheduleHome, slotsOf } from './schedule-home.ts'

let home: ScheduleHome

beforeAll(async () => {
  home = await scheduleHome('schedule-life')
})

afterAll(() => home?.stop())

const create = (name: string, spec: Parameters<typeof createSchedule>[3]): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, spec)

/** Tries until it does not throw: `expect.poll` is not for tests that run at the same time. */
const soon = <T>(what: () => T | Promise<T>): Promise<T> => vi.waitFor(what, { timeout: 20_000, interval: 100 })

/** Changes fields of the spec, as `kubectl edit` would. */
async function edit(name: string, change: object): Promise<void> {
  const path = `/apis/taskmill.dev/v1alpha1/namespaces/${home.namespace}/taskschedules/${name}`
  await soon(async () => {
    const { spec, ...object } = await home.schedule(name, () => true)
    // The operator may have written the status in between.
    const answer = await home.cluster.request('PUT', `${path}?fieldValidation=Strict`, { ...object, spec: { ...spec, ...change } })
    expect(answer.status).toBe(200)
  })
}

const remove = (name: string): Promise<unknown> => home.client.delete(taskSchedules, home.namespace, name)
const missed = (object: TaskSchedule, reason: string): number =>
  object.status?.missedRuns?.find((each) => each.reason === reason)?.count ?? 0
const ledgerOf = (name: string): Promise<string | null> =>
  home.commands.hget(`bull:.taskmill:ledger:default/${home.namespace}/${name}`, 'document')
const keysOf = (name: string): Promise<string[]> => home.commands.keys(`*${home.namespace}/${name}*`)

/** With all digits of its numbers. */
function specOf(manifest: string): TaskSchedule['spec'] {
  const [document] = parseYaml(manifest)
  const read = document === undefined ? undefined : valueOf(document)
  if (read?.ok !== true) throw new Error(`cannot be read: ${manifest}`)
  return (read.value as TaskSchedule).spec
}

describe.concurrent('a spec that cannot be acted upon', () => {
  const task = { type: 'x', queue: 'bad' }

  it('names the expression, and says what to write', async () => {
    await create('bad-cron', { schedules: ['0 1 * * *', '0 25 * * *'], task })
    const object = await home.schedule('bad-cron', (each) => reasonOf(each, 'Stalled') === 'InvalidSchedule')
    expect(messageOf(object, 'Stalled')).toMatch(/^spec\.schedules\[1\]: "0 25 \* \* \*".*hour "25" is out of range; write 0 to 23/u)
    expect(reasonOf(object, 'Ready')).toBe('InvalidSchedule')
    expect(object.status?.reason).toBe('InvalidSchedule')
    await edit('bad-cron', { schedules: ['0 1 * * *'] })
    const mended = await home.schedule('bad-cron', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
    expect(reasonOf(mended, 'Stalled')).toBeUndefined()
  })

  it('names the time zone', async () => {
    await create('bad-zone', { schedules: ['0 1 * * *'], timeZone: 'Europe/Berlinn', task })
    const object = await home.schedule('bad-zone', (each) => reasonOf(each, 'Stalled') === 'InvalidTimeZone')
    expect(messageOf(object, 'Stalled')).toContain('spec.timeZone: "Europe/Berlinn" is not a time zone')
  })

  it('names the place in the payload, at once and not at the time of the slot', async () => {
    await create('bad-name', { schedules: ['0 1 1 1 *'], task: { ...task, payload: { a: [{ b: 'x $(slott)' }] } } })
    const object = await home.schedule('bad-name', (each) => reasonOf(each, 'Stalled') === 'InvalidExpression')
    expect(messageOf(object, 'Stalled')).toMatch(/^spec\.task\.payload\.a\[0\]\.b: .*slott.*known names: slot/u)
    await soon(async () => expect(await home.eventsOf('bad-name', 'InvalidExpression')).toHaveLength(1))
  })

  it('says when a payload is too long', async () => {
    await create('too-long', { schedules: ['0 1 1 1 *'], task: { ...task, payload: { text: 'x'.repeat(300_000) } } })
    const object = await home.schedule('too-long', (each) => reasonOf(each, 'Stalled') === 'PayloadTooLarge')
    expect(messageOf(object, 'Stalled')).toContain('at most 262144')
  })

  it('is told the words of lint, whatever is wrong', async () => {
    const { client, namespace } = home
    const bad = badSchedules.map(({ manifest, field }, index) => {
      const { findings } = lint([{ path: 'a.yaml', text: manifest, isNamed: true }], { isComplete: false })
      const [found] = findings.filter((each) => each.field === field)
      return { name: `bad-${index}`, spec: specOf(manifest), words: `${field}: ${found?.message}` }
    })
    await Promise.all(bad.map(({ name, spec }) => create(name, spec)))
    const wordsOf = async (): Promise<ReadonlyMap<string, string | undefined>> => {
      const { items } = await client.list(taskSchedules, { namespace })
      return new Map(items.map((each) => [each.metadata.name, messageOf(each, 'Stalled')]))
    }
    await soon(async () => {
      const words = await wordsOf()
      expect(bad.filter(({ name }) => words.get(name) === undefined)).toEqual([])
    })
    const said = await wordsOf()
    expect(bad.map(({ name }) => said.get(name))).toEqual(bad.map(({ words }) => words))
  })

  it('waits for a TaskBroker that does not exist', async () => {
    await create('homeless', { schedules: ['0 1 * * *'], brokerRef: { name: 'later' }, task })
    const object = await home.schedule('homeless', (each) => reasonOf(each, 'Ready') === 'BrokerNotFound')
    expect(reasonOf(object, 'Reconciling')).toBe('WaitingForBroker')
    const broker = { metadata: { namespace: home.namespace, name: 'later' }, spec: { standalone: { address: home.redis.address } } }
    await home.client.apply(taskBrokers, broker, { fieldManager: 'test', force: true })
    await home.schedule('homeless', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
  })
})

describe.concurrent('suspend', () => {
  it('takes back what is placed ahead, counts what falls due, and makes up for nothing', async () => {
    const consumer = home.consume('pausing', async () => undefined)
    await create('pausing', { everySeconds: 2, task: { type: 'x', queue: 'pausing' } })
    await consumer.ran(2)
    await edit('pausing', { suspend: true })
    const suspended = await home.schedule('pausing', (each) => reasonOf(each, 'Ready') === 'Suspended')
    expect(suspended.status).toMatchObject({ reason: 'Suspended' })
    expect(suspended.status).not.toHaveProperty('nextRuns')
    const before = consumer.runs.length
    const suspendedMs = Date.now()
    await sleep(6500)
    expect(consumer.runs.length).toBe(before)
    const atResume = Math.floor(Date.now() / 1000)
    await edit('pausing', { suspend: false })
    await consumer.ran(before + 2)
    expect(
      slotsOf(consumer)
        .slice(before)
        .every((slot) => slot >= atResume),
    ).toBe(true)
    const resumed = await home.schedule('pausing', (each) => missed(each, 'Suspended') >= 3)
    // One each 2 s, however long it took.
    expect(missed(resumed, 'Suspended')).toBeLessThanOrEqual(2 + (Date.now() - suspendedMs) / 2000)
    expect(new Set(slotsOf(consumer)).size).toBe(consumer.runs.length)
    for (const reason of ['Suspended', 'Resumed']) {
      await soon(async () => expect(await home.eventsOf('pausing', reason)).toHaveLength(1))
    }
    await remove('pausing')
  })
})

describe.concurrent('an edit', () => {
  it('of the template replaces what is placed ahead, and no slot runs twice or not at all', async () => {
    const consumer = home.consume('edited', async () => undefined)
    const moved = home.consume('edited-too', async () => undefined)
    await create('edited', { everySeconds: 2, task: { type: 'x', queue: 'edited', payload: { version: 1 } } })
    await consumer.ran(2)
    await edit('edited', { task: { type: 'x', queue: 'edited', payload: { version: 2 } } })
    await soon(() => expect(JSON.stringify(consumer.runs.at(-1)?.data)).toBe('{"version":2}'))
    await edit('edited', { task: { type: 'x', queue: 'edited-too', payload: { version: 3 } } })
    await moved.ran(2)
    const slots = [...slotsOf(consumer), ...slotsOf(moved)]
    expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 2 * index))
    const versions = [...consumer.runs, ...moved.runs].map(({ data }) => (data as { version: number }).version)
    expect(versions).toEqual(versions.toSorted((a, b) => a - b))
    await remove('edited')
  })

  it('of the interval fires nothing of the past, and the same again changes nothing', async () => {
    const consumer = home.consume('retimed', async () => undefined)
    await create('retimed', { everySeconds: 3600, task: { type: 'x', queue: 'retimed' } })
    await home.schedule('retimed', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
    const atEdit = Math.floor(Date.now() / 1000)
    await edit('retimed', { everySeconds: 2 })
    await consumer.ran(2)
    expect(slotsOf(consumer)[0]).toBeGreaterThanOrEqual(atEdit)
    await edit('retimed', { everySeconds: 86_400 })
    const { metadata } = await home.schedule('retimed', (each) => each.status?.observedGeneration === each.metadata.generation)
    await home.schedule('retimed', (each) => reasonOf(each, 'LastRunSucceeded') === 'Succeeded' && each.status?.activeRuns === 0)
    const ran = consumer.runs.length
    await sleep(4500)
    expect(consumer.runs.length).toBe(ran)
    const settled = await home.schedule('retimed', () => true)
    await edit('retimed', {})
    await sleep(1500)
    const again = await home.schedule('retimed', () => true)
    expect(again.metadata.generation).toBe(metadata.generation)
    expect(again.status).toEqual(settled.status)
    await remove('retimed')
  })
})

describe.concurrent('Forbid', () => {
  it('counts a slot as missed while a run is active, and says which', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('slow', () => gate.promise)
    await create('slow', { everySeconds: 2, concurrencyPolicy: 'Forbid', task: { type: 'x', queue: 'slow' } })
    await consumer.ran(1)
    await soon(async () => expect(JSON.parse((await ledgerOf('slow')) ?? '{}').missed?.Overlap?.count).toBeGreaterThan(1))
    expect(consumer.runs.length).toBe(1)
    await soon(async () => expect(await home.eventsOf('slow', 'RunMissed')).toHaveLength(1))
    const [event] = await home.eventsOf('slow', 'RunMissed')
    expect(event?.note).toMatch(/^slot \S+: Overlap, run \S+ is active/u)
    gate.resolve()
    await consumer.ran(2)
    await remove('slow')
  })
})

describe.concurrent('deadlines', () => {
  it('free a schedule whose run never starts', async () => {
    await create('unstarted', {
      everySeconds: 4,
      concurrencyPolicy: 'Forbid',
      pendingDeadlineSeconds: 2,
      task: { type: 'x', queue: 'nobody-here' },
    })
    const object = await home.schedule('unstarted', (each) => reasonOf(each, 'LastRunSucceeded') === 'PendingDeadlineExceeded')
    expect(object.status).toMatchObject({ lastResult: 'Failed', reason: 'PendingDeadlineExceeded' })
    await home.schedule('unstarted', (each) => (each.status?.consecutiveFailures ?? 0) >= 2)
    await remove('unstarted')
    await soon(async () => expect(await keysOf('unstarted')).toEqual([]))
  })

  it('free a schedule whose run never ends', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('endless', () => gate.promise)
    await create('endless', { everySeconds: 3, concurrencyPolicy: 'Forbid', runDeadlineSeconds: 2, task: { type: 'x', queue: 'endless' } })
    await home.schedule('endless', (each) => reasonOf(each, 'LastRunSucceeded') === 'RunDeadlineExceeded')
    await consumer.ran(2)
    gate.resolve()
    await remove('endless')
  })

  it('show a job that a user removed', async () => {
    const queue = new Queue('robbed', { connection: { host: home.redis.host, port: home.redis.port } })
    await create('robbed', { everySeconds: 3, concurrencyPolicy: 'Forbid', task: { type: 'x', queue: 'robbed' } })
    await soon(async () => expect(await queue.getWaitingCount()).toBe(1))
    const [job] = await queue.getWaiting()
    await job?.remove()
    await home.schedule('robbed', (each) => reasonOf(each, 'LastRunSucceeded') === 'JobRemoved')
    await remove('robbed')
    await queue.close()
  })
})

describe.concurrent('deletion', () => {
  it('takes back what is placed, and leaves nothing in the broker', async () => {
    const consumer = home.consume('leaving', async () => undefined)
    await create('leaving', { everySeconds: 2, task: { type: 'x', queue: 'leaving' } })
    await consumer.ran(2)
    await remove('leaving')
    await soon(async () => expect(await ledgerOf('leaving')).toBeNull())
    const before = consumer.runs.length
    await sleep(5000)
    expect(consumer.runs.length).toBeLessThanOrEqual(before + 1)
    expect(await home.commands.hget('bull:.taskmill:owners:default', `default/${home.namespace}/leaving`)).toBeNull()
    const ends = await home.commands.lrange(`bull:.taskmill-done/default/${home.namespace}:wait`, 0, -1)
    expect(ends.filter((id) => id.includes('/leaving/'))).toEqual([])
  })

  it('takes back what is placed as soon as it begins, also while somebody holds the object', async () => {
    const consumer = home.consume('held', async () => undefined)
    await create('held', { everySeconds: 2, task: { type: 'x', queue: 'held' } })
    await consumer.ran(2)
    const hold = async (finalizers: readonly string[]) => {
      const path = `/apis/taskmill.dev/v1alpha1/namespaces/${home.namespace}/taskschedules/held`
      const put = async () => {
        const { metadata, ...object } = await home.schedule('held', () => true)
        return (await home.cluster.request('PUT', path, { ...object, metadata: { ...metadata, finalizers } })).status
      }
      await soon(async () => expect(await put()).toBe(200))
    }
    await hold(['example.com/hold'])
    await remove('held')
    await soon(async () => expect(await ledgerOf('held')).toBeNull())
    expect(await home.commands.zcard('bull:held:delayed')).toBe(0)
    expect((await home.schedule('held', () => true)).metadata.deletionTimestamp).toBeDefined()
    const before = consumer.runs.length
    await sleep(5000)
    expect(consumer.runs.length, 'within 5 s').toBe(before)
    await hold([])
  })

  it('with Orphan leaves all, and a schedule of the same name continues', async () => {
    const consumer = home.consume('staying', async () => undefined)
    const spec = { everySeconds: 2, deletionPolicy: 'Orphan', task: { type: 'x', queue: 'staying' } } as const
    await create('staying', spec)
    await consumer.ran(2)
    await remove('staying')
    const before = consumer.runs.length
    // What was placed ahead runs on.
    await consumer.ran(before + 2)
    await create('staying', spec)
    await consumer.ran(before + 5)
    const slots = slotsOf(consumer)
    expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 2 * index))
    await edit('staying', { deletionPolicy: 'Delete' })
    await home.schedule('staying', (each) => each.status?.observedGeneration === each.metadata.generation)
    await remove('staying')
    await soon(async () => expect(await ledgerOf('staying')).toBeNull())
  })
})

it.concurrent('leaves a schedule alone that is not due: nothing is written, and the broker is not asked', async () => {
  await create('idle', { schedules: ['0 0 1 1 *'], task: { type: 'x', queue: 'idle' } })
  await home.schedule('idle', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
  await sleep(2000)
  const before = (await home.schedule('idle', () => true)).metadata.resourceVersion
  const ledger = `default/${home.namespace}/idle`
  const seen: string[] = []
  const monitor = await monitorCommands(home.commands.options.port!, (line) => {
    if (line.includes(ledger)) seen.push(line.slice(0, 200))
  })
  await sleep(6000)
  // The only command about it is this one, which also shows that the monitor sees what comes.
  await home.commands.echo(ledger)
  await soon(() => expect(seen).toEqual([expect.stringMatching(/"echo"/iu)]))
  monitor[Symbol.dispose]()
  expect((await home.schedule('idle', () => true)).metadata.resourceVersion).toBe(before)
})
