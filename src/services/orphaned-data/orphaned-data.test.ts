import { expect, test } from 'vitest'
import type { TaskBroker } from '../../api/index.ts'
import type { Broker, BrokerEndpoint, LedgerWrite } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { ledgerName, type OwnerMarker, runName } from '../../contract/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokerClock, type DispatchState } from '../brokers/index.ts'
import type { Jobs } from '../jobs/index.ts'
import { createOrphanedData, type OrphanedDataDeps } from './orphaned-data.ts'

const endpointOf = (host: string): BrokerEndpoint => ({ address: `${host}:6379`, keyPrefix: 'bull' })
const ledgerOf = (name: string) => ledgerName('default', 'team', name)

/** Servers by host, each with the owners of its data, and the objects that there are: by what the cache shows, and by what the API server says. */
function world(deps: Partial<OrphanedDataDeps> = {}) {
  const clock = fakeClock()
  const servers = new Map<
    string,
    {
      owners: Map<string, OwnerMarker>
      isAway: boolean
      passes: number
      claims: number
      releases: number
      read: string[]
      unreadable: string[]
      heldBy?: string | undefined
      beforeRead?: (ledger: string) => Promise<void>
    }
  >()
  const there = { cached: new Set<string>(), stored: new Set<string>(), brokers: new Set<string>(), isApiAway: false, asked: 0 }
  const warnings: string[] = []
  const deletedRuns: string[] = []

  function server(host: string) {
    const known = servers.get(host) ?? {
      owners: new Map<string, OwnerMarker>(),
      isAway: false,
      passes: 0,
      claims: 0,
      releases: 0,
      read: [],
      unreadable: [],
    }
    servers.set(host, known)
    return known
  }

  function brokerOf(host: string): Broker {
    const at = server(host)
    return {
      async listOwners() {
        at.passes++
        if (at.isAway) throw taskmillError('TM_BROKER_UNREACHABLE', `${host} does not answer`)
        return { owners: new Map(at.owners), unreadable: at.unreadable, cursor: '0' }
      },
      async claimDispatch([claim]) {
        at.claims++
        const { heldBy } = at
        return [claim?.mode !== undefined && heldBy !== undefined ? { kind: 'HeldByOther', holder: heldBy } : { kind: 'Held' }]
      },
      releaseDispatch: async () => void at.releases++,
      async closeNamespace({ dispatcher }) {
        at.owners.delete(dispatcher)
        return { outcome: 'Done' }
      },
      forgetUnusedQueues: async () => ({ outcome: 'Done' }),
      readEnded: async () => ({ ended: [] }),
      async readLedgers(ledgers) {
        for (const each of ledgers) await at.beforeRead?.(each)
        return {
          stored: ledgers.map((each) =>
            at.owners.has(each) ? { revision: 1, document: each.endsWith('/later') ? '{"v":2}' : emptyLedger } : undefined,
          ),
          brokerTimeMs: 0,
        }
      },
      async readRun(run) {
        at.read.push(run)
        return { entries: [], length: 0, marker: undefined, brokerTimeMs: 0 }
      },
      async writeLedger({ ledger, document }: LedgerWrite) {
        if (document === undefined) at.owners.delete(ledger)
        return { outcome: 'Written', stored: undefined, brokerTimeMs: 0 }
      },
    } as Partial<Broker> as Broker
  }

  const log = Object.assign(Object.create(silentLogger) as typeof silentLogger, {
    warn: (_: object, message: string) => void warnings.push(message),
  })
  const stop = new AbortController()
  const orphanedData = createOrphanedData({
    clock,
    log,
    brokerClock: createBrokerClock(clock),
    jobs: {} as Jobs,
    brokers: { acquire: ({ address }) => ({ broker: brokerOf(address.split(':')[0] ?? ''), release: async () => undefined }) },
    installation: 'default',
    cluster: 'c1',
    holder: 'c1/ns/lease',
    by: 'p',
    epoch: () => 1,
    exists: (_, namespace, name) => there.cached.has(`${namespace}/${name}`),
    async findThere(_, namespace, names) {
      there.asked++
      if (there.isApiAway) throw taskmillError('TM_KUBE_UNAVAILABLE', 'the API server does not answer')
      return new Set(names.filter((name) => there.stored.has(`${namespace}/${name}`)))
    },
    isNamed: async ({ address }) => there.brokers.has(address.split(':')[0] ?? ''),
    isWatched: () => true,
    deletedRuns: { add: (key) => void deletedRuns.push(key) },
    taskBrokers: {
      list: (namespace) =>
        [...there.brokers].flatMap((host) =>
          namespace === undefined || namespace === 'team'
            ? [
                {
                  metadata: { namespace: 'team', name: host },
                  spec: { standalone: { address: `${host}:6379` }, keyPrefix: 'bull' },
                } as TaskBroker,
              ]
            : [],
        ),
    },
    directory: { get: (key) => ({ kind: 'Known', endpoint: endpointOf(key.split('/')[1] ?? '') }) },
    dispatchLeases: {
      state: (): DispatchState => ({ kind: 'Active', proof: { dispatcher: 'default/team', epoch: 1, holder: 'c1/ns/lease' } }),
    },
    ...deps,
  })
  return {
    clock,
    there,
    server,
    warnings,
    deletedRuns,
    orphanedData,
    leave(host: string, name: string, kind: 'TaskSchedule' | 'TaskExecution' = 'TaskSchedule') {
      const owner = kind === 'TaskSchedule' ? ledgerOf(name) : runName('default', 'team', name)
      server(host).owners.set(owner, { v: 1, cluster: 'c1', kind, namespace: 'team', name, deletionPolicy: 'Delete' })
    },
    watch(host: string) {
      there.brokers.add(host)
      orphanedData.watchBroker(endpointOf(host))
    },
    start: () => orphanedData.start(stop.signal),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await orphanedData.stopped
    },
  }
}

const emptyLedger = JSON.stringify({
  v: 1,
  timing: { everySeconds: 60, suspended: false },
  cursor: 0,
  open: [],
  active: [],
  dispatched: 0,
  consecutiveFailures: 0,
  missed: {},
})
const hour = 3_600_000

test('nothing is removed of an object that the cache does not show and the API server has', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there } = home
  leave('a', 'new')
  leave('a', 'gone')
  there.stored.add('team/new')
  start()
  watch('a')
  await clock.advance(0)
  expect([...server('a').owners.keys()]).toEqual([ledgerOf('new')])
  expect(there.asked).toBe(1)
})

test('the lease is given back when the last removal has ended, also after one of them failed', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there } = home
  const slow = Promise.withResolvers<void>()
  const after: number[] = []
  leave('a', 'slow')
  leave('a', 'refused')
  server('a').beforeRead = async (ledger) => {
    if (ledger === ledgerOf('refused')) throw taskmillError('TM_BROKER_COMMAND_FAILED', 'refused')
    await slow.promise
    after.push(server('a').releases)
  }
  start()
  watch('a')
  there.brokers.clear()
  await clock.advance(0)
  expect([server('a').claims, server('a').releases]).toEqual([1, 0])
  slow.resolve()
  await clock.advance(0)
  expect(after).toEqual([0])
  expect([[...server('a').owners.keys()], server('a').releases]).toEqual([[ledgerOf('refused')], 1])
})

test('a lease that this cluster holds through another address of the server is not taken, and not given back', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there } = home
  leave('a', 'gone')
  server('a').heldBy = 'c1/ns/lease'
  start()
  watch('a')
  there.brokers.clear()
  await clock.advance(0)
  expect([server('a').owners.size, server('a').releases]).toEqual([1, 0])
  server('a').heldBy = undefined
  await clock.advance(1_000)
  expect([server('a').owners.size, server('a').releases]).toEqual([0, 1])
})

test('while the API server does not answer nothing is removed, and no run counts as deleted', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there, deletedRuns } = home
  leave('a', 'gone')
  leave('a', 'x7k2p', 'TaskExecution')
  there.isApiAway = true
  start()
  watch('a')
  await clock.advance(0)
  expect([server('a').owners.size, deletedRuns]).toEqual([2, []])
  there.isApiAway = false
  await clock.advance(1_000)
  expect([[...server('a').owners.keys()], deletedRuns]).toEqual([[runName('default', 'team', 'x7k2p')], ['team/x7k2p']])
})

test('an object in the cache costs no request', async () => {
  await using home = world()
  const { leave, watch, start, clock, there } = home
  leave('a', 'here')
  there.cached.add('team/here')
  start()
  watch('a')
  await clock.advance(0)
  expect(there.asked).toBe(0)
})

test('a broker that is away keeps no other one from its hourly pass', async () => {
  await using home = world()
  const { leave, watch, start, clock, server } = home
  server('dead').isAway = true
  start()
  watch('dead')
  watch('b')
  await clock.advance(0)
  leave('b', 'gone')
  await clock.advance(hour)
  expect(server('b').owners.size).toBe(0)
  expect(server('b').passes).toBe(2)
  expect(server('dead').passes, 'every 15 s').toBeGreaterThan(200)
})

test('a broker that no TaskBroker names is forgotten once nothing is left there', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there, orphanedData } = home
  start()
  watch('a')
  await clock.advance(0)
  leave('a', 'gone')
  there.brokers.clear()
  orphanedData.lookAgain()
  await clock.advance(1_000)
  expect([server('a').owners.size, server('a').passes]).toEqual([0, 2])
  await clock.advance(3 * hour)
  orphanedData.lookAgain()
  await clock.advance(hour)
  expect(server('a').passes).toBe(2)
})

test('a broker that is away and that no TaskBroker names is tried less and less often, and given up after an hour, with a warning', async () => {
  await using home = world()
  const { watch, start, clock, server, there, warnings } = home
  start()
  watch('a')
  await clock.advance(0)
  server('a').isAway = true
  there.brokers.clear()
  home.orphanedData.lookAgain()
  await clock.advance(3 * hour)
  expect(server('a').passes).toBeLessThan(20)
  expect(warnings).toEqual(['gave up removing orphaned data from a broker that no TaskBroker names; creating one continues it'])
  const before = server('a').passes
  server('a').isAway = false
  watch('a')
  await clock.advance(0)
  expect(server('a').passes).toBe(before + 1)
})

test('the API server is asked once about all objects of a kind that are gone, however many there are', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there } = home
  for (let index = 0; index < 300; index++) leave('a', `s${index}`)
  there.stored.add('team/s7')
  start()
  watch('a')
  await clock.advance(0)
  expect([there.asked, [...server('a').owners.keys()]]).toEqual([1, [ledgerOf('s7')]])
})

test('what is asked for while a pass runs is done after it', async () => {
  let isHeld = true
  const gate = Promise.withResolvers<void>()
  await using home = world({
    async findThere() {
      if (isHeld) await gate.promise
      return new Set()
    },
  })
  const { leave, watch, start, clock, server, orphanedData } = home
  leave('a', 'first')
  start()
  watch('a')
  await clock.advance(0)
  orphanedData.lookAgain()
  leave('a', 'second')
  isHeld = false
  gate.resolve()
  await clock.advance(1_000)
  expect([server('a').owners.size, server('a').passes]).toEqual([0, 2])
})

test('the log of a run that ended seven days ago is archived in the hourly pass, and no other one', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there } = home
  const ended = (name: string, daysAgo: number | undefined) => {
    leave('a', name, 'TaskExecution')
    there.cached.add(`team/${name}`)
    const owner = runName('default', 'team', name)
    const marker = server('a').owners.get(owner)
    if (marker !== undefined && daysAgo !== undefined)
      server('a').owners.set(owner, { ...marker, endedAtMs: clock.now() - daysAgo * 86_400_000 })
  }
  ended('old', 8)
  ended('young', 6)
  ended('running', undefined)
  start()
  watch('a')
  await clock.advance(0)
  expect(server('a').read).toEqual([runName('default', 'team', 'old')])
})

test('a namespace that no TaskBroker names leaves the broker after its last record, and not before', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there, orphanedData } = home
  server('a').owners.set('default/team', {
    v: 1,
    cluster: 'c1',
    kind: 'Namespace',
    namespace: 'team',
    name: 'team',
    deletionPolicy: 'Delete',
  })
  leave('a', 'last')
  there.cached.add('team/last')
  start()
  watch('a')
  await clock.advance(0)
  there.brokers.clear()
  orphanedData.lookAgain()
  await clock.advance(1_000)
  expect([...server('a').owners.keys()]).toEqual(['default/team', ledgerOf('last')])
  there.cached.clear()
  orphanedData.lookAgain()
  await clock.advance(1_000)
  expect(server('a').owners.size).toBe(0)
})

const leaseOfTeam = { v: 1, cluster: 'c1', kind: 'Namespace', namespace: 'team', name: 'team', deletionPolicy: 'Delete' } as const

test('a namespace stays while an object that comes back keeps its record', async () => {
  let isBack = false
  await using home = world({
    exists: () => isBack,
    // It is created again a moment after the API server has answered.
    async findThere() {
      isBack = true
      return new Set()
    },
  })
  const { leave, watch, start, clock, server, there } = home
  server('a').owners.set('default/team', leaseOfTeam)
  leave('a', 'back')
  start()
  watch('a')
  there.brokers.clear()
  await clock.advance(0)
  expect([...server('a').owners.keys()]).toEqual(['default/team', ledgerOf('back')])
})

test('a namespace that gets a TaskBroker while the API server is asked for one stays', async () => {
  let createBroker = (): void => undefined
  await using home = world({
    async isNamed() {
      createBroker()
      return false
    },
  })
  const { watch, start, clock, server, there } = home
  createBroker = () => void there.brokers.add('a')
  server('a').owners.set('default/team', leaseOfTeam)
  start()
  watch('a')
  there.brokers.clear()
  await clock.advance(0)
  expect([server('a').owners.size, server('a').claims]).toEqual([1, 0])
})

test('a namespace stays while anybody holds its lease, and is tried again if that is this cluster', async () => {
  await using home = world()
  const { watch, start, clock, server, there } = home
  server('a').owners.set('default/team', leaseOfTeam)
  server('a').heldBy = 'c1/ns/lease'
  start()
  watch('a')
  there.brokers.clear()
  await clock.advance(0)
  expect(server('a').owners.size).toBe(1)
  server('a').heldBy = undefined
  await clock.advance(1_000)
  expect(server('a').owners.size).toBe(0)
})

test('a namespace with a record whose marker a later version wrote stays', async () => {
  await using home = world()
  const { watch, start, clock, server, there } = home
  server('a').owners.set('default/team', leaseOfTeam)
  server('a').unreadable.push(ledgerOf('later'))
  start()
  watch('a')
  there.brokers.clear()
  await clock.advance(0)
  expect([...server('a').owners.keys()]).toEqual(['default/team'])
})

test('a ledger that a later version wrote stays, with its namespace, and holds up no other', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there } = home
  server('a').owners.set('default/team', leaseOfTeam)
  for (const name of ['later', 'gone']) leave('a', name)
  start()
  watch('a')
  await clock.advance(0)
  there.brokers.clear()
  await clock.advance(hour)
  expect([...server('a').owners.keys()]).toEqual(['default/team', ledgerOf('later')])
  expect(server('a').passes).toBe(2)
})

test('a namespace whose dispatch lease another cluster claimed last stays', async () => {
  await using home = world()
  const { watch, start, clock, server, there } = home
  const marker = { v: 1, kind: 'Namespace', namespace: 'team', name: 'team', deletionPolicy: 'Delete' } as const
  server('a').owners.set('default/team', { ...marker, cluster: 'blue' })
  start()
  watch('a')
  there.brokers.clear()
  await clock.advance(hour)
  expect([server('a').owners.size, server('a').claims]).toEqual([1, 0])
})

test.each(['before close namespace', 'after close namespace'])(
  'a process that dies %s leaves nothing that the next pass does not finish',
  async (at) => {
    let deaths = 0
    await using home = world({
      reachPoint(point) {
        if (point === at && deaths++ === 0) throw new Error('killed')
      },
    })
    const { watch, start, clock, server, there } = home
    server('a').owners.set('default/team', {
      v: 1,
      cluster: 'c1',
      kind: 'Namespace',
      namespace: 'team',
      name: 'team',
      deletionPolicy: 'Delete',
    })
    start()
    watch('a')
    there.brokers.clear()
    await clock.advance(10_000)
    expect(server('a').owners.size).toBe(0)
    expect(deaths).toBeGreaterThan(0)
  },
)

test('one claim of a namespace without a TaskBroker serves all its owners', async () => {
  await using home = world()
  const { leave, watch, start, clock, server, there } = home
  for (const name of ['a', 'b', 'c', 'd']) leave('host', name)
  start()
  watch('host')
  there.brokers.clear()
  await clock.advance(0)
  expect(server('host')).toMatchObject({ owners: new Map(), claims: 1 })
})
