import { expect, test } from 'vitest'
import type { TaskBroker } from '../../api/index.ts'
import type { Broker, BrokerEndpoint } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokerClock, type DispatchState } from '../brokers/index.ts'
import { createEngine, type Engine, type ObjectMemory } from './engine.ts'
import { describeSituation, type Situation } from './situation.ts'
import type { Acted, Kind } from './visit.ts'

const endpoint: BrokerEndpoint = { address: 'redis:6379', keyPrefix: 'bull' }
const proof = { dispatcher: 'default/team', epoch: 3, holder: 'c/ns/lease' }
const key = 'team/default'
const context = { signal: new AbortController().signal, log: silentLogger }

function world() {
  const clock = fakeClock()
  const there = { state: { kind: 'Active', proof } as DispatchState, hasBroker: true, isAway: false, released: 0 }
  const broker = {
    async readLedgers() {
      if (there.isAway) throw taskmillError('TM_BROKER_UNREACHABLE', 'redis:6379 does not answer')
      return { stored: [], brokerTimeMs: 0 }
    },
    onReturn: () => () => undefined,
  } as Partial<Broker> as Broker
  const engine = createEngine({
    taskBrokers: { get: () => (there.hasBroker ? ({} as TaskBroker) : undefined) },
    directory: { get: () => ({ kind: 'Known', endpoint }) },
    dispatchLeases: { state: () => there.state },
    brokers: {
      acquire: () => ({
        broker,
        async release() {
          there.released += 1
        },
      }),
    },
    brokerClock: createBrokerClock(clock),
    clock,
  })
  return { engine, clock, there }
}

type TestActed = Acted<number, string, never>
/** Does the one thing once, and then waits. */
const kindOf = (acted: () => TestActed) => (): Kind<number, { readonly record: number }, 'do', string, never> => {
  let isDone = false
  return {
    observe: async (known) => ({ record: known ?? 1 }),
    step: () => (isDone ? { kind: 'Wait' } : { kind: 'Act', changes: 'Effects', action: 'do' }),
    async act() {
      isDone = true
      return acted()
    },
  }
}
const done = kindOf(() => ({ outcome: 'Done', happened: ['done'] }))
const drive = (engine: Engine, memory: ObjectMemory<number>, kind = done) => engine.drive(memory, key, kind, context)

test('with the dispatch lease an object is driven until it waits', async () => {
  const { engine } = world()
  const memory = engine.remember<number>()
  expect(await drive(engine, memory)).toMatchObject({ situation: { kind: 'Driven' }, isWaiting: true, happened: ['done'] })
  expect(memory.record).toBe(1)
})

test.each<[string, DispatchState, string]>([
  ['pending', { kind: 'Pending' }, 'Pending'],
  ['with another cluster', { kind: 'Standby', heldBy: 'blue' }, 'Standby'],
])('while the lease is %s nothing is done, and the record is forgotten', async (_, state, kind) => {
  const { engine, there } = world()
  const memory = engine.remember<number>()
  await drive(engine, memory)
  there.state = state
  expect(await drive(engine, memory)).toMatchObject({ situation: { kind }, happened: [] })
  expect(memory.record).toBeUndefined()
})

test('without a TaskBroker the connection is given back', async () => {
  const { engine, there } = world()
  const memory = engine.remember<number>()
  await drive(engine, memory)
  there.hasBroker = false
  expect((await drive(engine, memory)).situation).toEqual({ kind: 'NoBroker' })
  expect(there.released).toBe(1)
})

test('a status stays for 10 s while the lease is undecided; after 5 s a broker that does not answer is named', async () => {
  const { engine, there, clock } = world()
  const memory = engine.remember<number>()
  there.state = { kind: 'Pending' }
  expect((await drive(engine, memory)).situation.kind).toBe('Pending')
  expect(engine.isUndecided(memory)).toBe(true)
  await clock.advance(6_000)
  expect((await drive(engine, memory)).situation.kind).toBe('Pending')
  await clock.advance(5_000)
  expect(engine.isUndecided(memory)).toBe(false)
  there.isAway = true
  expect((await drive(engine, memory)).situation).toMatchObject({ kind: 'Unreachable' })
})

test.each([
  ['fenced', kindOf(() => ({ outcome: 'Fenced' })), { situation: { kind: 'Pending' }, againAfterMs: 1_000 }],
  [
    'a broker that goes away',
    kindOf(() => {
      throw taskmillError('TM_BROKER_UNREACHABLE', 'away')
    }),
    { situation: { kind: 'Unreachable', message: 'away' }, againAfterMs: 2_000 },
  ],
  [
    'a record of a later version',
    kindOf(() => {
      throw taskmillError('TM_LEDGER_UNREADABLE', 'version 2')
    }),
    { situation: { kind: 'Unreadable', message: 'version 2' }, againAfterMs: 30_000 },
  ],
  [
    'any other error',
    kindOf(() => {
      throw new TypeError('a mistake')
    }),
    { situation: { kind: 'Failed', error: { message: 'a mistake' } } },
  ],
])('%s is a situation with a pace', async (_, kind, expected) => {
  const { engine } = world()
  expect(await drive(engine, engine.remember<number>(), kind)).toMatchObject(expected)
})

test.each<[string, DispatchState, () => TestActed, boolean]>([
  ['until nothing is recorded', { kind: 'Active', proof }, () => ({ outcome: 'Deleted', happened: ['gone'] }), true],
  ['unless it is fenced', { kind: 'Active', proof }, () => ({ outcome: 'Fenced' }), false],
  [
    'unless the broker is away',
    { kind: 'Active', proof },
    () => {
      throw taskmillError('TM_BROKER_UNREACHABLE', 'away')
    },
    false,
  ],
  ['unless the lease has no holder', { kind: 'Pending' }, () => ({ outcome: 'Deleted' }), false],
  ['or leaves it to the cluster that dispatches', { kind: 'Standby', heldBy: 'blue' }, () => ({ outcome: 'Deleted' }), true],
])('a removal continues %s, and releases the connection', async (_, state, acted, isComplete) => {
  const { engine, there } = world()
  const memory = engine.remember<number>()
  await drive(engine, memory)
  there.state = state
  expect(await engine.remove(memory, key, kindOf(acted), context)).toMatchObject({ isComplete })
  expect(there.released).toBe(1)
})

test('a removal that is aborted is not complete, and says so by its error', async () => {
  const { engine, there } = world()
  const signal = AbortSignal.abort(new Error('stop'))
  await expect(engine.remove(engine.remember<number>(), key, done, { ...context, signal })).rejects.toThrow('stop')
  expect(there.released).toBe(1)
})

const words = { verb: 'apply', unreadable: { reason: 'SettingsUnreadable', next: 'run that version' } } as const
test.each<[Situation, string, string | undefined, string]>([
  [{ kind: 'NoBroker' }, 'BrokerNotFound', 'WaitingForBroker', 'TaskBroker "main" does not exist in this namespace. Next: create it'],
  [{ kind: 'NotUsable', message: 'no Secret' }, 'BrokerNotUsable', 'WaitingForBroker', 'no Secret'],
  [
    { kind: 'Unreachable', message: 'refused' },
    'BrokerUnreachable',
    'WaitingForBroker',
    'nothing can be applied: refused. Next: kubectl describe taskbroker main',
  ],
  [
    { kind: 'Unreadable', message: 'version 2' },
    'SettingsUnreadable',
    'Stalled',
    'version 2. The operator does not overwrite it. Next: run that version',
  ],
  [
    { kind: 'Pending' },
    'WaitingForDispatch',
    'WaitingForDispatch',
    'the operator is claiming the dispatch lease of this namespace at the broker',
  ],
  [{ kind: 'Standby', heldBy: 'blue' }, 'Standby', undefined, 'another cluster holds the dispatch lease: blue'],
  [
    { kind: 'Standby', heldBy: undefined },
    'Standby',
    undefined,
    'spec.dispatch of TaskBroker "main" is Standby: this cluster applies nothing',
  ],
])('in words: %j', (situation, reason, meanwhile, message) => {
  expect(describeSituation(situation, 'main', words)).toEqual({ reason, message, ...(meanwhile === undefined ? {} : { meanwhile }) })
})
