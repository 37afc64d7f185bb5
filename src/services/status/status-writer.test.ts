import { describe, expect, it } from 'vitest'
import type { KubeObject, Resource } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { type TaskmillError, taskmillError } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import { createStatusWriter, createWriteBudget, whileRunning } from './status-writer.ts'

type Thing = KubeObject & { readonly status?: Status }
type Status = {
  readonly state: string
  readonly gauge: number
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
}
const things: Resource<Thing> = { group: 'test', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true }
const thing = (status?: Thing['status'], uid = 'u1'): Thing => ({
  apiVersion: 'test/v1',
  kind: 'Thing',
  metadata: { namespace: 'n', name: 'a', uid },
  ...(status === undefined ? {} : { status }),
})

function setup() {
  const clock = fakeClock()
  const stored: unknown[] = []
  const conditionsSeen: (readonly string[])[] = []
  const applyStatus: KubeClient['applyStatus'] = async (_resource, object) => {
    stored.push((object as unknown as Thing).status)
    return object as never
  }
  const client = { applyStatus } as unknown as KubeClient
  const writer = createStatusWriter<Thing>({
    client,
    resource: things,
    fieldManager: 't',
    clock,
    transitionOf: (status) => status.state,
    budget: createWriteBudget({ clock, perSecond: 10 }),
    conditionMetrics: (key, conditions) => conditionsSeen.push([key, ...conditions.map(({ type, status }) => `${type} ${status}`)]),
  })
  return {
    clock,
    client,
    stored,
    conditionsSeen,
    writer,
    write: (status: Status, object = thing()) => writer.write('n/a', object, status),
  }
}

it('writes the first status and every transition at once', async () => {
  const { stored, write } = setup()
  await write({ state: 'a', gauge: 1 })
  await write({ state: 'b', gauge: 1 })
  expect(stored).toEqual([
    { state: 'a', gauge: 1 },
    { state: 'b', gauge: 1 },
  ])
})

it('writes nothing that is there already, also right after a start', async () => {
  const { stored, write } = setup()
  expect(await write({ gauge: 1, state: 'a' }, thing({ state: 'a', gauge: 1 }))).toEqual({})
  expect(stored).toEqual([])
})

it('sets the metrics of the conditions with every call, whether it writes or not', async () => {
  const { stored, conditionsSeen, write } = setup()
  const conditions = [{ type: 'Ready', status: 'True' }]
  await write({ state: 'a', gauge: 1, conditions }, thing({ state: 'a', gauge: 1, conditions }))
  await write({ state: 'a', gauge: 1 }, thing({ state: 'a', gauge: 1 }))
  expect(stored).toEqual([])
  expect(conditionsSeen).toEqual([['n/a', 'Ready True'], ['n/a']])
})

it('coalesces gauges: says when they are due, and writes the newest value then', async () => {
  const { clock, stored, write } = setup()
  await write({ state: 'a', gauge: 1 })
  await clock.advance(10_000)
  expect(await write({ state: 'a', gauge: 2 })).toEqual({ againAfterMs: 20_000 })
  await clock.advance(20_000)
  expect(await write({ state: 'a', gauge: 3 })).toEqual({})
  expect(stored).toEqual([
    { state: 'a', gauge: 1 },
    { state: 'a', gauge: 3 },
  ])
})

it('writes paced transitions at most once in an interval, and without the budget', async () => {
  const { clock, client, stored } = setup()
  const writer = createStatusWriter<Thing>({
    client,
    resource: things,
    fieldManager: 't',
    clock,
    transitionOf: ({ conditions }) => conditions,
    pacedTransitionOf: ({ state }) => state,
    budget: { ...createWriteBudget({ clock, perSecond: 10 }), take: () => 60_000 },
    gaugeIntervalMs: 5_000,
  })
  const waits: (number | undefined)[] = []
  for (let second = 0; second < 12; second++) {
    const status = { state: second % 2 === 0 ? 'good' : 'bad', gauge: second }
    waits.push((await writer.write('n/a', thing(), status)).againAfterMs)
    await clock.advance(1_000)
  }
  expect(stored).toEqual([
    { state: 'good', gauge: 0 },
    { state: 'bad', gauge: 5 },
    { state: 'good', gauge: 10 },
  ])
  expect(waits.slice(0, 6)).toEqual([undefined, 4_000, 3_000, 2_000, 1_000, undefined])
})

it('writes gauges every 5 s while something runs, also the end of it, then every 30 s, and nothing while nothing changes', async () => {
  const { clock, client, stored } = setup()
  const writer = createStatusWriter<Thing>({
    client,
    resource: things,
    fieldManager: 't',
    clock,
    transitionOf: ({ state }) => state,
    budget: createWriteBudget({ clock, perSecond: 10 }),
    gaugeIntervalMs: whileRunning(({ gauge }) => gauge > 0),
  })
  const writtenAt: (readonly [number, number])[] = []
  const gaugeAt = (ms: number) => (ms < 10_000 ? 0 : ms < 42_000 ? ms / 1_000 : ms < 60_000 ? 0 : ms < 70_000 ? -1 : -2)
  for (let ms = 0; ms <= 120_000; ms += 1_000) {
    const before = stored.length
    await writer.write('n/a', thing(), { state: 'a', gauge: gaugeAt(ms) })
    if (stored.length > before) writtenAt.push([ms / 1_000, gaugeAt(ms)])
    await clock.advance(1_000)
  }
  expect(writtenAt).toEqual([
    [0, 0],
    ...[10, 15, 20, 25, 30, 35, 40].map((second) => [second, second]),
    // The end, at 42 s, is shown within 5 s; what changes at rest, at 60 s and 70 s, within 30 s.
    [45, 0],
    [75, -2],
  ])
})

it('trusts its own last write over an older cache, but not over a new object of the same name', async () => {
  const { stored, writer, write } = setup()
  await write({ state: 'b', gauge: 1 })
  expect(writer.latest('n/a', thing({ state: 'a', gauge: 0 }))).toEqual({ state: 'b', gauge: 1 })
  await write({ state: 'b', gauge: 1 }, thing({ state: 'a', gauge: 0 }))
  expect(stored).toHaveLength(1)
  expect(writer.latest('n/a', thing(undefined, 'u2'))).toBeUndefined()
  await write({ state: 'b', gauge: 1 }, thing(undefined, 'u2'))
  expect(stored).toHaveLength(2)
})

it('writes no status into a namespace that is being deleted, and tries again in case it is not', async () => {
  const clock = fakeClock()
  const stored: unknown[] = []
  const client = { applyStatus: async (_: unknown, object: Thing) => (stored.push(object.status), object) } as unknown as KubeClient
  let isClosing = true
  const closing = {
    isClosing: ({ namespace }: { namespace?: string | undefined }) => isClosing && namespace === 'n',
    noteGone: () => undefined,
  }
  const budget = createWriteBudget({ clock, perSecond: 10, closing })
  const common = { client, resource: things, fieldManager: 't', clock, budget, transitionOf: ({ state }: Status) => state }
  const writer = createStatusWriter<Thing>(common)
  expect(await writer.write('n/a', thing(), { state: 'a', gauge: 1 })).toEqual({ againAfterMs: 60_000 })
  expect(stored).toEqual([])
  isClosing = false
  expect(await writer.write('n/a', thing(), { state: 'a', gauge: 1 })).toEqual({})
  expect(stored).toHaveLength(1)
})

describe('an object that is gone when its status is written', () => {
  const notFound = taskmillError('TM_KUBE_NOT_FOUND', 'things.taskmill.dev "a" not found')
  const terminating = taskmillError('TM_KUBE_FORBIDDEN', 'namespace n because it is being terminated')
  function world(answer: TaskmillError, isRecord = false) {
    const clock = fakeClock()
    const gone: unknown[] = []
    const applyStatus = async () => Promise.reject(answer)
    const client = { applyStatus, list: async () => ({ items: [], resourceVersion: '1' }) } as unknown as KubeClient
    const closing = { isClosing: () => false, noteGone: ({ namespace }: { namespace?: string | undefined }) => void gone.push(namespace) }
    const budget = createWriteBudget({ clock, perSecond: 10, closing })
    const transitionOf = ({ state }: Status) => state
    const writer = createStatusWriter<Thing>({ client, resource: things, fieldManager: 't', clock, budget, transitionOf, isRecord })
    return { gone, written: writer.write('n/a', thing(), { state: 'a', gauge: 1 }) }
  }

  it.each([notFound, terminating, taskmillError('TM_KUBE_CONFLICT', 'modified')])(
    'is no fault, and says that its namespace may go: %s',
    async (answer) => {
      const { gone, written } = world(answer)
      expect(await written).toEqual({})
      expect(gone).toEqual(['n'])
    },
  )

  it('is one where the status is the record: nothing may follow from what is not stored', async () => {
    const { gone, written } = world(notFound, true)
    await expect(written).rejects.toThrow('not found')
    expect(gone).toEqual(['n'])
  })

  it('is told from a resource that the API server does not know', async () => {
    const { gone, written } = world(taskmillError('TM_KUBE_NOT_FOUND', 'the server could not find the requested resource'))
    await expect(written).rejects.toThrow('requested resource')
    expect(gone).toEqual([])
  })
})

describe('once the cache shows what was written', () => {
  const written = { state: 'a', gauge: 1, conditions: [{ type: 'Ready', status: 'True' }] }
  const at = (resourceVersion: string, status?: Status): Thing => ({ ...thing(status), metadata: { ...thing().metadata, resourceVersion } })

  function versioned() {
    const stored: unknown[] = []
    let version = 10
    const client = {
      async applyStatus(_: unknown, object: Thing) {
        stored.push(object.status)
        return { metadata: { ...object.metadata, resourceVersion: String((version += 1)) } }
      },
    } as unknown as KubeClient
    const clock = fakeClock()
    const budget = createWriteBudget({ clock, perSecond: 10 })
    const common = { client, resource: things, fieldManager: 't', clock, budget, transitionOf: ({ state }: Status) => state }
    return { stored, clock, writer: createStatusWriter<Thing>(common) }
  }

  it('the object has the status, and no copy of it is kept', async () => {
    const { stored, writer } = versioned()
    await writer.write('n/a', at('9'), written)
    expect(writer.latest('n/a', at('9'))).toBe(written)
    const shown = at('11', structuredClone(written))
    expect(writer.latest('n/a', shown)).toBe(shown.status)
    const optional: object = { ...written, message: undefined }
    expect(await writer.write('n/a', shown, optional as Status)).toEqual({})
    expect(stored).toHaveLength(1)
  })

  it('a gauge still waits for its interval', async () => {
    const { clock, writer } = versioned()
    await writer.write('n/a', at('9'), written)
    await clock.advance(1_000)
    expect(await writer.write('n/a', at('11', written), { ...written, gauge: 2 })).toEqual({ againAfterMs: 29_000 })
  })

  it('an edit by somebody else is told from an edit of the spec, also of a gauge alone', async () => {
    const { stored, writer } = versioned()
    await writer.write('n/a', at('9'), written)
    await writer.write('n/a', at('11', written), written)
    await writer.write('n/a', at('50', written), written)
    expect(stored).toEqual([written])
    await writer.write('n/a', at('100', { ...written, gauge: 7 }), written)
    expect(stored).toEqual([written, written])
  })
})

it('keeps the gauges of all objects together within the budget, and transitions outside of it', async () => {
  const { clock, stored, writer } = setup()
  const object = (index: number): Thing => ({
    ...thing({ state: 'a', gauge: 0 }),
    metadata: { namespace: 'n', name: `t${index}`, uid: `u${index}` },
  })
  const write = (index: number, state: string) => writer.write(`n/t${index}`, object(index), { state, gauge: 1 })
  const waits = await Promise.all(Array.from({ length: 25 }, (_, index) => write(index, 'a')))
  expect(stored).toHaveLength(10)
  expect(waits.slice(10).every(({ againAfterMs = 0 }) => againAfterMs > 0)).toBe(true)
  await write(24, 'b')
  expect(stored).toHaveLength(11)
  await clock.advance(1000)
  for (let index = 10; index < 24; index += 1) await write(index, 'a')
  expect(stored).toHaveLength(21)
})

it('leaves the condition of alerts alone: it is no reason to write, and is not written', async () => {
  const { stored, write } = setup()
  const conditions = [
    { type: 'Ready', status: 'True' },
    { type: 'Alerting', status: 'False' },
  ]
  const shown = { state: 'a', gauge: 1, conditions }
  const own = { state: 'a', gauge: 1, conditions: [{ type: 'Ready', status: 'True' }] }
  await write(own, thing(shown))
  expect(stored).toEqual([])
  await write({ ...own, state: 'b' }, thing(shown))
  expect(stored).toEqual([{ ...own, state: 'b' }])
})

it('carries the version of its object, or the one that the last write left while the cache is behind', async () => {
  const versions: (string | undefined)[] = []
  let current = 10
  const client = {
    async applyStatus(_: unknown, { metadata }: Thing) {
      versions.push(metadata.resourceVersion)
      return { metadata: { ...metadata, resourceVersion: String((current += 1)) } }
    },
  } as unknown as KubeClient
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 10 })
  const writer = createStatusWriter<Thing>({
    client,
    resource: things,
    fieldManager: 't',
    clock,
    transitionOf: ({ state }) => state,
    budget,
  })
  const at = (resourceVersion: string, uid = 'u1'): Thing => ({
    ...thing(undefined, uid),
    metadata: { ...thing().metadata, uid, resourceVersion },
  })
  await writer.write('n/a', at('10'), { state: 'a', gauge: 1 })
  await writer.write('n/a', at('10'), { state: 'b', gauge: 1 })
  await writer.write('n/a', at('11'), { state: 'c', gauge: 1 })
  // Another writer has changed it.
  await writer.write('n/a', at('20'), { state: 'd', gauge: 1 })
  await writer.write('n/a', at('9', 'u2'), { state: 'a', gauge: 1 })
  expect(versions).toEqual(['10', '11', '12', '20', '9'])
})

it.each([
  ['of the same object goes through', 'u1', false, ['10', '15']],
  ['of an object that was replaced is refused', 'u2', false, ['10']],
  ['of a record is refused, when this process has not written it before', 'u1', true, ['10']],
])('after another writer has changed the object, a status %s', async (_, uid, isRecord, wanted) => {
  const versions: (string | undefined)[] = []
  const client = {
    async applyStatus(__: unknown, { metadata }: Thing) {
      versions.push(metadata.resourceVersion)
      if (metadata.resourceVersion !== '15') throw taskmillError('TM_KUBE_CONFLICT', 'the object has been modified')
      return { metadata }
    },
    list: async () => ({ items: [{ ...thing(), metadata: { ...thing().metadata, uid, resourceVersion: '15' } }] }),
  } as unknown as KubeClient
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 10 })
  const common = { client, resource: things, fieldManager: 't', clock, transitionOf: ({ state }: Status) => state, budget }
  const writer = createStatusWriter<Thing>({ ...common, isRecord })
  const object = { ...thing(), metadata: { ...thing().metadata, resourceVersion: '10' } }
  const writing = writer.write('n/a', object, { state: 'a', gauge: 1 })
  if (wanted.length === 2) await writing
  else await expect(writing).rejects.toMatchObject({ code: 'TM_KUBE_CONFLICT' })
  expect(versions).toEqual(wanted)
})

/** A writer whose API server keeps the object: each apply that changes something leaves a version of its own. */
function setupServer() {
  let version = 10
  let status: Status | undefined
  const writes: Status[] = []
  const shown = (): Thing => ({ ...thing(status), metadata: { ...thing().metadata, resourceVersion: String(version) } })
  const client = {
    async applyStatus(_: unknown, object: Thing) {
      if (object.metadata.resourceVersion !== String(version)) throw taskmillError('TM_KUBE_CONFLICT', 'the object has been modified')
      writes.push(object.status as Status)
      if (JSON.stringify(object.status) !== JSON.stringify(status)) version += 1
      status = object.status
      return shown()
    },
    list: async () => ({ items: [shown()] }),
  } as unknown as KubeClient
  const clock = fakeClock()
  const budget = createWriteBudget({ clock, perSecond: 10 })
  const writer = createStatusWriter<Thing>({
    client,
    resource: things,
    fieldManager: 't',
    clock,
    transitionOf: ({ state }) => state,
    budget,
  })
  return {
    writes,
    shown,
    edit(next: Status | undefined) {
      status = next
      version += 1
    },
    write: (next: Status, object = shown()) => writer.write('n/a', object, next),
  }
}

it.each<[string, Status | undefined]>([
  ['a transition', { state: 'edited', gauge: 1 }],
  ['a gauge', { state: 'a', gauge: 99 }],
  ['all of it, away', undefined],
])('repairs at once what somebody else has edited: %s', async (_, edited) => {
  const { writes, shown, edit, write } = setupServer()
  await write({ state: 'a', gauge: 1 })
  edit(edited)
  await write({ state: 'a', gauge: 1 })
  expect(shown().status).toEqual({ state: 'a', gauge: 1 })
  await write({ state: 'a', gauge: 1 })
  expect(writes).toHaveLength(2)
})

it('does not take its own write, or what was there before it, for an edit of somebody else', async () => {
  const { writes, shown, edit, write } = setupServer()
  const first = shown()
  edit({ state: 'z', gauge: 0 })
  const between = shown()
  // The cache still shows the first version; the write finds the second one, and then the cache shows one after the other.
  await write({ state: 'a', gauge: 1 }, first)
  await write({ state: 'a', gauge: 1 }, between)
  await write({ state: 'a', gauge: 1 })
  expect(writes).toHaveLength(1)
})

describe('the budget', () => {
  it('lets a second of writes go at once, and then keeps the pace', async () => {
    const clock = fakeClock()
    const budget = createWriteBudget({ clock, perSecond: 10 })
    let written = 0
    for (let stepMs = 0; stepMs < 10_000; stepMs += 10) {
      while (budget.take('a') === 0) written += 1
      await clock.advance(10)
    }
    expect(written).toBeGreaterThanOrEqual(108)
    expect(written).toBeLessThanOrEqual(110)
  })

  it('says when to ask again, and grants the write then', async () => {
    const clock = fakeClock()
    const budget = createWriteBudget({ clock, perSecond: 2 })
    expect([budget.take('a'), budget.take('a')]).toEqual([0, 0])
    const waitMs = budget.take('a')
    expect(waitMs).toBe(500)
    await clock.advance(waitMs)
    expect(budget.take('a')).toBe(0)
  })

  it('saves up no more than one second', async () => {
    const clock = fakeClock()
    const budget = createWriteBudget({ clock, perSecond: 3 })
    await clock.advance(3_600_000)
    expect([budget.take('a'), budget.take('a'), budget.take('a'), budget.take('a') > 0]).toEqual([0, 0, 0, true])
  })

  it('gives each waiting writer a time of its own, and the same when asked again', async () => {
    const clock = fakeClock()
    const budget = createWriteBudget({ clock, perSecond: 10 })
    for (let count = 0; count < 10; count++) budget.take('first')
    const ask = () => ['a', 'b', 'c'].map((who) => budget.take(who))
    expect(ask()).toEqual([100, 200, 300])
    await clock.advance(50)
    expect(ask()).toEqual([50, 150, 250])
  })

  it('a thousand waiting writers ask about twice for each write', async () => {
    const clock = fakeClock()
    const budget = createWriteBudget({ clock, perSecond: 10 })
    let [asked, written] = [0, 0]
    const ask = (who: string): void => {
      asked += 1
      const waitMs = budget.take(who)
      if (waitMs === 0) written += 1
      else clock.setTimeout(() => ask(who), waitMs)
    }
    for (let index = 0; index < 1000; index++) ask(`o${index}`)
    await clock.advance(99_100)
    expect(written).toBe(1000)
    expect(asked).toBeLessThanOrEqual(2100)
  })
})
