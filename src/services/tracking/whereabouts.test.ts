import { expect, test } from 'vitest'
import type { Broker, PlacedRef, PlacedState } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createWhereabouts } from './index.ts'

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
  } as unknown as Broker
  return { clock, looks, state, broker, whereabouts: createWhereabouts({ clock, log: silentLogger }) }
}

test('looks after 2 s and then ever more seldom, and tells what it found', async () => {
  const { clock, looks, state, broker, whereabouts } = world()
  let told = 0
  const follow = () => whereabouts.follow('a', broker, [refOf('a1')], () => void told++)
  follow()
  await clock.advance(1_999)
  expect([looks.length, whereabouts.of('a').size]).toEqual([0, 0])
  await clock.advance(1)
  expect(whereabouts.of('a').get('a1')).toEqual({ id: 'a1', state: 'Waiting' })
  state.of = 'Active'
  follow()
  await clock.advance(98_000)
  expect(looks.map(({ atMs }) => atMs)).toEqual([2, 6, 14, 30, 60, 90].map((second) => second * 1_000))
  expect(whereabouts.of('a').get('a1')).toMatchObject({ state: 'Active' })
  expect(told).toBe(looks.length)
})

test('what is due within a second is looked at together', async () => {
  const { clock, looks, broker, whereabouts } = world()
  const ignore = () => undefined
  whereabouts.follow('a', broker, [refOf('a1'), refOf('a2')], ignore)
  await clock.advance(900)
  whereabouts.follow('b', broker, [refOf('b1')], ignore)
  await clock.advance(1_100)
  expect(looks).toEqual([
    { atMs: 2_000, ids: ['a1', 'a2'] },
    { atMs: 2_000, ids: ['b1'] },
  ])
})

test('other jobs of the same owner are looked at anew; what was found of it before stays until then', async () => {
  const { clock, looks, broker, whereabouts } = world()
  whereabouts.follow('a', broker, [refOf('a1')], () => undefined)
  await clock.advance(20_000)
  looks.length = 0
  whereabouts.follow('a', broker, [refOf('a1'), refOf('a2')], () => undefined)
  expect([...whereabouts.of('a').keys()]).toEqual(['a1'])
  await clock.advance(2_000)
  expect(looks).toEqual([{ atMs: 22_000, ids: ['a1', 'a2'] }])
})

test('a broker that is away changes nothing, and is asked again; with nothing to follow no timer stays', async () => {
  const { clock, looks, state, broker, whereabouts } = world()
  let told = 0
  whereabouts.follow('a', broker, [refOf('a1')], () => void told++)
  await clock.advance(2_000)
  state.failure = new Error('away')
  await clock.advance(4_000)
  expect([looks.length, told, whereabouts.of('a').size]).toEqual([2, 1, 1])
  whereabouts.forget('a')
  await clock.advance(60_000)
  expect([looks.length, whereabouts.of('a').size, clock.pending()]).toEqual([2, 0, []])
  whereabouts.follow('a', broker, [refOf('a1')], () => undefined)
  await whereabouts.stop()
  expect(clock.pending()).toEqual([])
})
