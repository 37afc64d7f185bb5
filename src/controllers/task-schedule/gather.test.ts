import { expect, it } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { type ConfigMapReading, understandSchedule } from '../../plans/index.ts'
import type { Trial } from '../../services/jobs/index.ts'
import { gather, type Memory, type TaskScheduleDeps, trialAgainAfterMs } from './gather.ts'

const schedule = {
  metadata: { namespace: 'team', name: 'nightly', uid: 'u', generation: 1, creationTimestamp: '2026-11-28T00:00:00Z' },
  spec: {
    brokerRef: { name: 'default' },
    schedules: ['0 1 * * *'],
    timeZone: 'UTC',
    suspend: false,
    concurrencyPolicy: 'Forbid',
    missedRuns: 'Latest',
    missedRunsLimit: 1,
    deletionPolicy: 'Delete',
    job: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'acme:1' }] } } } },
  },
} as unknown as Memory['schedule']

function setup() {
  const clock = fakeClock(0)
  const asked: ((trial: Trial) => void)[] = []
  const jobs = { dryRun: () => new Promise<Trial>((resolve) => asked.push(resolve)) }
  const lease = { kind: 'Held' }
  const deps = { clock, jobs, engine: { leaseAt: () => lease } } as unknown as TaskScheduleDeps
  const memory = { schedule, understood: understandSchedule(schedule) } as unknown as Memory
  const look = () => gather(deps, 'team/nightly', memory, undefined, { signal: new AbortController().signal, log: silentLogger })
  return { clock, asked, lease, deps, memory, look }
}

it('a dry run that gets no answer holds up one look for half a second, and the next ones not at all', async () => {
  const { clock, asked, memory, look } = setup()
  const first = look()
  await clock.advance(500)
  expect((await first).trial).toEqual({ kind: 'Unknown', warnings: [] })
  expect((await look()).trial).toEqual({ kind: 'Unknown', warnings: [] })
  expect(asked).toHaveLength(1)
  expect(trialAgainAfterMs(memory, clock.now())).toBe(29_500)
})

it('an answer that comes later is found by the next look', async () => {
  const { clock, asked, look } = setup()
  const first = look()
  await clock.advance(500)
  await first
  asked[0]?.({ kind: 'Fine', warnings: ['w'] })
  await Promise.resolve()
  expect((await look()).trial).toEqual({ kind: 'Fine', warnings: ['w'] })
})

it('is asked again after 30 s without an answer, and never after one', async () => {
  const { clock, asked, memory, look } = setup()
  const first = look()
  asked[0]?.({ kind: 'Unknown', warnings: [] })
  await first
  await clock.advance(29_999)
  await look()
  expect(asked).toHaveLength(1)
  await clock.advance(1)
  const second = look()
  expect(asked).toHaveLength(2)
  asked[1]?.({ kind: 'Fine', warnings: [] })
  await second
  expect(trialAgainAfterMs(memory, clock.now())).toBeUndefined()
  await clock.advance(3_600_000)
  await look()
  expect(asked).toHaveLength(2)
})

it('is not waited for without the dispatch lease, under which alone it is asked again', async () => {
  const { clock, asked, lease, memory, look } = setup()
  const first = look()
  asked[0]?.({ kind: 'Unknown', warnings: [] })
  await first
  lease.kind = 'Unreachable'
  await clock.advance(60_000)
  await look()
  expect(trialAgainAfterMs(memory, clock.now())).toBeUndefined()
  lease.kind = 'Held'
  const again = look()
  expect(asked).toHaveLength(2)
  asked[1]?.({ kind: 'Fine', warnings: [] })
  expect((await again).trial).toEqual({ kind: 'Fine', warnings: [] })
})

it('the calendars of a schedule are read again only when a ConfigMap is another one, and followed as long as it names one', async () => {
  const { deps, memory, look } = setup()
  const followed: (readonly object[])[] = []
  let reading: ConfigMapReading = { kind: 'Unread' }
  Object.assign(deps, {
    configMaps: {
      follow(_: unknown, refs: readonly { readonly name: string }[]) {
        followed.push(refs)
        return new Map(refs.map(({ name }) => [name, reading]))
      },
    },
  })
  const configMapRef = { name: 'holidays', key: 'dates' }
  const { job: _, ...spec } = schedule.spec
  const task = { type: 'backup', queue: 'files', retry: { maxRetries: 0, initialDelaySeconds: 10 } }
  const dated = { ...schedule, spec: { ...spec, task, calendars: { exclude: [{ name: 'holidays', configMapRef }] } } } as Memory['schedule']
  Object.assign(memory, { schedule: dated, understood: undefined })
  expect((await look()).left).toEqual({ kind: 'Unread' })
  reading = { kind: 'Data', data: { dates: '12-25' } }
  const { left } = await look()
  expect(left?.kind).toBe('Left')
  expect((await look()).left).toBe(left)
  reading = { kind: 'Data', data: { dates: '12-26' } }
  expect((await look()).left).not.toBe(left)
  reading = { kind: 'Missing' }
  expect((await look()).left).toMatchObject({ kind: 'Unusable', reason: 'CalendarNotFound', field: 'spec.calendars.exclude[0]' })

  Object.assign(memory, { schedule: { ...schedule, spec: { ...spec, task } }, understood: undefined })
  followed.length = 0
  expect((await look()).left).toBeUndefined()
  expect((await look()).left).toBeUndefined()
  expect(followed).toEqual([[]])
})
