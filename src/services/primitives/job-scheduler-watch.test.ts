import { expect, test } from 'vitest'
import type { Broker, BrokerEndpoint, JobSchedulerRef } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokers } from '../brokers/index.ts'
import { createJobSchedulerWatch } from './index.ts'

const endpoint: BrokerEndpoint = { address: 'redis:6379', keyPrefix: 'bull' }

function world() {
  const clock = fakeClock()
  const reads: { readonly atMs: number; readonly ids: readonly string[] }[] = []
  const versions = new Map<string, string>()
  const beganMs = clock.monotonicNow()
  const state = { failure: undefined as Error | undefined }
  const broker = {
    async readJobSchedulerVersions(refs: readonly JobSchedulerRef[]) {
      reads.push({ atMs: clock.monotonicNow() - beganMs, ids: refs.map(({ id }) => id) })
      if (state.failure !== undefined) throw state.failure
      return refs.map(({ id }) => versions.get(id))
    },
    close: async () => undefined,
  } as unknown as Broker
  const watch = createJobSchedulerWatch({ brokers: createBrokers({ connect: () => broker }), clock, log: silentLogger })
  const announced: string[] = []
  watch.changes.onChange((key) => announced.push(key))
  const see = (name: string, version: string | undefined = '1') => {
    if (version === undefined) versions.delete(name)
    else versions.set(name, version)
    watch.watch(`acme/${name}`, endpoint, { queue: 'mail', id: name, version })
  }
  return { clock, reads, versions, state, watch, announced, see }
}

test('one scheduler is confirmed every 30 s, and announced once it is another, until that is seen', async () => {
  const { clock, reads, versions, see, announced } = world()
  see('a')
  await clock.advance(60_000)
  expect([reads.map(({ atMs }) => atMs), announced]).toEqual([[30_000, 60_000], []])
  versions.set('a', '2')
  await clock.advance(60_000)
  expect(announced).toEqual(['acme/a', 'acme/a'])
  see('a', '2')
  versions.delete('a')
  await clock.advance(30_000)
  expect(announced).toHaveLength(3)
})

test('many are confirmed within 30 s, with a round trip a second', async () => {
  const { clock, reads, see, announced } = world()
  const names = Array.from({ length: 600 }, (_, index) => `s-${index}`)
  for (const name of names) see(name)
  await clock.advance(32_000)
  expect(reads.length).toBeLessThanOrEqual(32)
  expect(new Set(reads.flatMap(({ ids }) => ids))).toEqual(new Set(names))
  expect(announced).toEqual([])
})

test('one that is watched and forgotten all the time does not keep another from being confirmed', async () => {
  const { clock, see, watch, versions, announced } = world()
  see('a')
  for (let second = 0; second < 80; second++) {
    if (second === 40) versions.set('a', '2')
    watch.forget('acme/b')
    see('b', `${second}`)
    await clock.advance(1_000)
  }
  expect(announced).toContain('acme/a')
})

test('a broker that is away is asked again, and one that nobody watches is not', async () => {
  const { clock, reads, state, watch, see, versions, announced } = world()
  see('a')
  state.failure = new Error('away')
  await clock.advance(35_000)
  expect(reads.length).toBeGreaterThan(3)
  state.failure = undefined
  versions.set('a', '2')
  await clock.advance(32_000)
  expect(announced).toContain('acme/a')
  watch.forget('acme/a')
  const before = reads.length
  await clock.advance(120_000)
  expect(reads).toHaveLength(before)
  await watch.stop()
})
