import { expect, test } from 'vitest'
import type { Broker, BrokerEndpoint, PlacedRef, PlacedState } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokers } from '../brokers/index.ts'
import { createWhereabouts } from './index.ts'

const endpoint: BrokerEndpoint = { address: 'redis:6379', keyPrefix: 'bull' }
const runOf = (name: string) => `default/acme/run/${name}`
const refOf = (id: string): PlacedRef => ({ id, doneQueue: 'done', queue: 'mail' })

function world() {
  const clock = fakeClock()
  const looks: { readonly atMs: number; readonly ids: readonly string[] }[] = []
  const state = { of: 'Waiting' as PlacedState['state'], failure: undefined as Error | undefined }
  const beganMs = clock.monotonicNow()
  const broker = {
    async lookAtPlaced(refs: readonly PlacedRef[]) {
      looks.push({ atMs: clock.monotonicNow() - beganMs, ids: refs.map(({ id }) => id) })
      if (state.failure !== undefined) throw state.failure
      return refs.map(({ id }) => ({ id, state: state.of }))
    },
    close: async () => undefined,
  } as unknown as Broker
  const whereabouts = createWhereabouts({ brokers: createBrokers({ connect: () => broker }), clock, log: silentLogger })
  const announced: string[] = []
  whereabouts.changesOf('TaskExecution').onChange((key) => announced.push(key))
  const follow = (name: string, ...ids: readonly string[]) => whereabouts.follow(runOf(name), endpoint, ids.map(refOf))
  const of = (name: string) => whereabouts.of(runOf(name))
  return { clock, looks, state, whereabouts, follow, of, announced }
}

test('looks after 2 s, then at intervals that double up to 30 s, and announces each look', async () => {
  const { clock, looks, state, follow, of, announced } = world()
  follow('a', 'a1')
  await clock.advance(1_999)
  expect([looks.length, of('a').size]).toEqual([0, 0])
  await clock.advance(1)
  expect(of('a').get('a1')).toEqual({ id: 'a1', state: 'Waiting' })
  state.of = 'Active'
  follow('a', 'a1')
  await clock.advance(98_000)
  expect(looks.map(({ atMs }) => atMs)).toEqual([2, 6, 14, 30, 60, 90].map((second) => second * 1_000))
  expect(of('a').get('a1')).toMatchObject({ state: 'Active' })
  expect(announced).toEqual(looks.map(() => 'acme/a'))
})

test('jobs that are due within a second are looked at together', async () => {
  const { clock, looks, follow } = world()
  follow('a', 'a1', 'a2')
  await clock.advance(900)
  follow('b', 'b1')
  await clock.advance(1_100)
  expect(looks).toEqual([
    { atMs: 2_000, ids: ['a1', 'a2'] },
    { atMs: 2_000, ids: ['b1'] },
  ])
})

test('after other jobs are named, the last look stays until the next', async () => {
  const { clock, looks, follow, of } = world()
  follow('a', 'a1')
  await clock.advance(20_000)
  looks.length = 0
  follow('a', 'a1', 'a2')
  expect([...of('a').keys()]).toEqual(['a1'])
  await clock.advance(2_000)
  expect(looks).toEqual([{ atMs: 22_000, ids: ['a1', 'a2'] }])
})

test('jobs that come every second do not keep an owner from being looked at', async () => {
  const { clock, looks, follow } = world()
  for (let second = 0; second < 5; second++) {
    follow('a', `a${second}`, `a${second + 1}`)
    await clock.advance(1_000)
  }
  expect(looks).toEqual([
    { atMs: 2_000, ids: ['a1', 'a2'] },
    { atMs: 4_000, ids: ['a3', 'a4'] },
  ])
})

test('a broker that is away changes nothing and is asked again; with nothing to follow no timer stays', async () => {
  const { clock, looks, state, whereabouts, follow, of, announced } = world()
  follow('a', 'a1')
  await clock.advance(2_000)
  state.failure = new Error('away')
  await clock.advance(4_000)
  expect([looks.length, announced.length, of('a').size]).toEqual([2, 1, 1])
  whereabouts.forget(runOf('a'))
  await clock.advance(60_000)
  expect([looks.length, of('a').size, clock.pending()]).toEqual([2, 0, []])
  follow('a', 'a1')
  await whereabouts.stop()
  expect(clock.pending()).toEqual([])
})
