import { beforeEach, expect, test } from 'vitest'
import type { Event } from '../api/index.ts'
import { fakeClock, type FakeClock } from '../clock/index.ts'
import { taskmillError, type ErrorCode } from '../errors/index.ts'
import { silentLogger } from '../observability/index.ts'
import { truncateNote } from './event-recorder.ts'
import { createEventRecorder, type EventRecorder, type KubeClient } from './index.ts'

const about = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'WorkerPool',
  metadata: { namespace: 'shop', name: 'mail', uid: 'u1', resourceVersion: '5' },
}
const scaled = { type: 'Normal', reason: 'ScaledUp', action: 'Scale', note: 'from 1 to 3' } as const

let clock: FakeClock
/** The Events of a cluster, by name. */
let stored: Map<string, Event>
let writes: number
let refuse: ErrorCode | undefined
/** The words of a Forbidden. */
let refusal: string | undefined
/** Whether the namespace is being deleted. */
let closing: boolean
let warnings: object[]
let recorder: EventRecorder

beforeEach(() => {
  clock = fakeClock(0)
  stored = new Map()
  writes = 0
  refuse = undefined
  refusal = undefined
  const attempt = () => {
    writes++
    if (refuse) throw taskmillError(refuse, 'refused')
    if (refusal) throw taskmillError('TM_KUBE_FORBIDDEN', refusal)
  }
  const client: Pick<KubeClient, 'create' | 'apply'> = {
    create: async (_, object) => {
      attempt()
      const event: Event = { ...(object as unknown as Event), metadata: { ...object.metadata, uid: `uid-${object.metadata.name}` } }
      stored.set(event.metadata.name, event)
      return event as never
    },
    apply: async (_, object) => {
      attempt()
      const before = stored.get(object.metadata.name)
      if (!before || before.metadata.uid !== (object.metadata as { uid?: string }).uid)
        throw taskmillError('TM_KUBE_CONFLICT', 'uid mismatch')
      stored.set(before.metadata.name, { ...before, ...object, metadata: before.metadata })
      return object as never
    },
  }
  closing = false
  warnings = []
  const log = Object.assign(Object.create(silentLogger) as typeof silentLogger, { warn: (facts: object) => void warnings.push(facts) })
  recorder = createEventRecorder({
    client,
    closing: { isClosing: () => closing },
    clock,
    log,
    component: 'taskmill.dev/operator',
    instance: 'operator-1',
  })
})

const all = () => [...stored.values()]

test('an Event has every field that the API server requires', async () => {
  recorder.event(about, scaled)
  await clock.advance(0)
  expect(all()).toEqual([
    {
      metadata: { namespace: 'shop', name: 'mail.00000', uid: 'uid-mail.00000' },
      eventTime: '1970-01-01T00:00:00.000000Z',
      ...scaled,
      reportingController: 'taskmill.dev/operator',
      reportingInstance: 'operator-1',
      regarding: { apiVersion: about.apiVersion, kind: about.kind, ...about.metadata },
    },
  ])
})

test('the same event is counted in a series, written at most every 10 s', async () => {
  for (let n = 0; n < 100; n++) {
    recorder.event(about, scaled)
    await clock.advance(1_000)
  }
  await clock.advance(10_000)
  expect(all()).toMatchObject([{ note: 'from 1 to 3', series: { count: 100, lastObservedTime: '1970-01-01T00:01:39.000000Z' } }])
  expect(writes).toBeLessThanOrEqual(12)
  const settled = writes
  await clock.advance(3_600_000)
  expect([writes, clock.pending()]).toEqual([settled, []])
})

test('another object, type, action, reason or note is another event, and so is the same after 6 minutes', async () => {
  recorder.event(about, scaled)
  recorder.event({ ...about, metadata: { ...about.metadata, uid: 'u2' } }, scaled)
  recorder.event(about, { ...scaled, type: 'Warning' })
  recorder.event(about, { ...scaled, action: 'Rescue' })
  recorder.event(about, { ...scaled, reason: 'ScaledDown' })
  recorder.event(about, { ...scaled, note: 'from 3 to 7' })
  await clock.advance(360_000)
  recorder.event(about, scaled)
  await clock.advance(0)
  expect(all()).toHaveLength(7)
  expect(all().every((event) => event.series === undefined)).toBe(true)
})

test('an unreachable server is retried up to three times', async () => {
  refuse = 'TM_KUBE_UNAVAILABLE'
  recorder.event(about, scaled)
  await clock.advance(5_000)
  recorder.event(about, scaled)
  refuse = undefined
  await clock.advance(60_000)
  expect(all()).toMatchObject([{ series: { count: 2 } }])

  refuse = 'TM_KUBE_UNAVAILABLE'
  writes = 0
  recorder.event(about, { ...scaled, reason: 'ScaledDown' })
  await clock.advance(3_600_000)
  expect([writes, clock.pending()]).toEqual([3, []])
})

test.each<ErrorCode>(['TM_KUBE_FORBIDDEN', 'TM_KUBE_INVALID', 'TM_KUBE_ALREADY_EXISTS'])(
  'what is refused with %s is not repeated, and harms nothing',
  async (code) => {
    refuse = code
    recorder.event(about, scaled)
    await clock.advance(3_600_000)
    expect(writes).toBe(1)
  },
)

test('when the API server has dropped an Event, the next occurrence begins a new one', async () => {
  recorder.event(about, scaled)
  await clock.advance(0)
  stored.clear()
  recorder.event(about, scaled)
  await clock.advance(10_000)
  expect(all()).toEqual([])
  recorder.event(about, scaled)
  await clock.advance(10_000)
  expect(all()).toHaveLength(1)
})

test('a flood is bounded and never throws', async () => {
  refuse = 'TM_KUBE_UNAVAILABLE'
  for (let n = 0; n < 5_000; n++) recorder.event({ ...about, metadata: { ...about.metadata, uid: `u${n}` } }, scaled)
  recorder.event(undefined as never, scaled)
  await clock.advance(3_600_000)
  expect([writes, clock.pending()]).toEqual([3_000, []])
})

test('a flush writes the waiting events, and nothing after that', async () => {
  recorder.event(about, scaled)
  await clock.advance(0)
  recorder.event(about, scaled)
  await recorder.flush()
  expect([all()[0]?.series?.count, clock.pending()]).toEqual([2, []])
  refuse = 'TM_KUBE_UNAVAILABLE'
  recorder.event(about, scaled)
  await recorder.flush()
  expect(clock.pending()).toEqual([])
})

test('names and notes are cut to their limits, also with multi-byte characters', async () => {
  recorder.event(
    { ...about, metadata: { namespace: 'shop', name: `${'a'.repeat(229)}.${'b'.repeat(23)}` } },
    { ...scaled, note: '€'.repeat(600) },
  )
  await clock.advance(0)
  const [event] = all()
  expect(event?.metadata.name).toMatch(/^a{229}\.[0-9a-f]+$/)
  expect(Buffer.byteLength(event?.note ?? '')).toBeLessThanOrEqual(1_024)
  expect(event?.note).toMatch(/^€{340}…$/)
  expect(truncateNote('x'.repeat(1_024))).toHaveLength(1_024)
  expect(Buffer.byteLength(truncateNote('x😀'.repeat(300)))).toBeLessThanOrEqual(1_024)
  expect(truncateNote('x😀'.repeat(300))).not.toContain('\uFFFD')
})

test('none is sent to a namespace that is being deleted, those that wait included', async () => {
  closing = true
  recorder.event(about, scaled)
  await clock.advance(0)
  closing = false
  recorder.event(about, scaled)
  closing = true
  await clock.advance(10_000)
  expect(writes).toBe(1)
})

test('of Events for which there is no room, the log says how many were dropped, once in 10 s and at the end', async () => {
  const burst = (from: number, count: number, reason: string) => {
    for (let index = from; index < from + count; index++) recorder.event(about, { ...scaled, reason, note: `number ${index}` })
  }
  burst(0, 1_000, 'ScaledUp')
  burst(1_000, 815, 'ScaledUp')
  burst(0, 5, 'ScaledDown')
  await clock.advance(9_999)
  expect(warnings).toEqual([])
  await clock.advance(1)
  expect(warnings).toEqual([{ dropped: 820, reasons: { ScaledUp: 815, ScaledDown: 5 } }])
  await clock.advance(60_000)
  burst(2_000, 1, 'ScaledUp')
  await recorder.flush()
  expect(warnings.slice(1)).toEqual([{ dropped: 1, reasons: { ScaledUp: 1 } }])
  expect(clock.pending()).toEqual([])
})
