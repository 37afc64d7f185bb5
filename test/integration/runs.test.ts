/** Whole runs against a real Redis: plain BullMQ workers do the work and keep their own books, the process is killed, doubled, restarted. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { TaskBroker } from '../../src/api/index.ts'
import { connectBroker, type Broker, type DispatchProof, type EndedJob } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { type CountIncrement, doneQueue, nodeJobId, runName, type OwnerMarker } from '../../src/contract/index.ts'
import { compileGraph, foldRun, viewNodes, viewRun, type Graph, type PlanNode, type RunPlan } from '../../src/graph/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { createBrokerClock, createBrokers } from '../../src/services/brokers/index.ts'
import { visitRecord, type VisitResult } from '../../src/services/engine/index.ts'
import { createJobs } from '../../src/services/jobs/index.ts'
import { createOrphanedData } from '../../src/services/orphaned-data/index.ts'
import { createRunKind, type RunDeps, type RunLost, type RunMemory, type RunVisit } from '../../src/services/runs/index.ts'
import type { RunCounts } from '../../src/services/signals/index.ts'
import { clientOf, eventually, lead, open, plainQueue, plainWorker } from './ledger-home.ts'

let redis: RedisServer
let broker: Broker & AsyncDisposable
let client: ReturnType<typeof clientOf>
const never = new AbortController().signal

beforeAll(async () => {
  redis = await startRedis()
  client = clientOf(redis.port)
  broker = open(redis)
})
afterAll(async () => {
  await broker.close()
  client.disconnect()
  await redis.stop()
})

/** A run in a namespace of its own, as one process sees it. */
type Home = {
  readonly namespace: string
  readonly run: string
  readonly queue: string
  readonly proof: DispatchProof
  readonly graph: Graph
  readonly visit: RunVisit
}

const token = '1f0c9b2e'
const subjects = [{ subjectKind: 'TaskDependency', subject: 'pipeline' }] as const

async function homeOf(namespace: string, nodes: (queue: string) => readonly PlanNode[], more: Partial<RunPlan> = {}): Promise<Home> {
  const queue = `work-${namespace}`
  const compiled = compileGraph({
    name: 'x7k2p',
    nodes: nodes(queue),
    finally: [],
    onNodeFailure: 'Stop',
    parameters: {},
    slot: '2030-01-01T00:00:00Z',
    ...more,
  })
  if (!compiled.ok) throw new Error(compiled.faults.map(({ message }) => message).join('; '))
  const proof = { dispatcher: `default/${namespace}`, epoch: 1, holder: 'cluster/ns/lease' }
  await lead(broker, proof)
  const run = runName('default', namespace, 'x7k2p')
  const marker: OwnerMarker = { v: 1, cluster: 'c1', kind: 'TaskExecution', namespace, name: 'x7k2p', deletionPolicy: 'Delete' }
  const visit: RunVisit = {
    broker,
    proof,
    marker,
    run,
    doneQueue: doneQueue('default', namespace),
    memory: { record: undefined },
    desired: 'Running',
    begin: { token, graph: compiled.graph },
    pendingCompletions: () => [],
    subjects,
    signal: never,
  }
  return { namespace, run, queue, proof, graph: compiled.graph, visit }
}

const nodeOf = (queue: string, name: string, dependsOn: readonly string[] = [], more: Partial<PlanNode> = {}): PlanNode => ({
  name,
  dependsOn: dependsOn.map((text) => {
    const [on = '', condition = 'Succeeded'] = text.split(' ')
    return { name: on, condition: condition as 'Succeeded' }
  }),
  required: true,
  task: { type: name, queue, retry: { maxRetries: 0, initialDelaySeconds: 0 }, ...more.task },
  ...(more.timeoutSeconds === undefined ? {} : { timeoutSeconds: more.timeoutSeconds }),
})

/** a, then b and c, then d with what b returned; e reacts to the failure of c. */
const diamond = (queue: string): readonly PlanNode[] => [
  nodeOf(queue, 'a'),
  nodeOf(queue, 'b', ['a']),
  { ...nodeOf(queue, 'c', ['a']), required: false },
  {
    ...nodeOf(queue, 'd', ['b', 'c Completed']),
    task: { type: 'd', queue, payload: { of: '$(nodes.b.result.url)' }, retry: { maxRetries: 0, initialDelaySeconds: 0 } },
  },
  nodeOf(queue, 'e', ['c Failed']),
]

const idOf = (home: Home, node: string) => nodeJobId(home.run, token, node)
const storedOf = async ({ run }: Home) => {
  const folded = foldRun((await broker.readRun(run, 0)).entries)
  if (!folded.ok) throw new Error(folded.message)
  return folded.run
}
const statesOf = async (home: Home) => Object.fromEntries(viewNodes(await storedOf(home)).map(({ name, state }) => [name, state]))
const endsOf = async (home: Home): Promise<readonly EndedJob[]> => (await broker.readEnded([home.visit.doneQueue])).ended
const countsOf = async ({ namespace, queue }: Home) => {
  const minute = Math.floor(Date.now() / 60_000)
  const stretch = { namespace, fromMinute: minute - 10, toMinute: minute + 1 }
  const requests = [{ ...stretch, subjectKind: 'Queue', subject: queue } as const, { ...stretch, ...subjects[0] }]
  return (await broker.readCounts('default', requests)).counts
}

const runDeps = (): RunDeps => ({ brokerClock: createBrokerClock(systemClock), log: silentLogger })
const visitOnce = (deps: RunDeps, visit: RunVisit) => visitRecord(createRunKind(deps, visit), visit.memory, visit)

/** A process: it remembers, and reads ends by looking. With `killAt`, that call of `reachPoint` throws, and it begins again with nothing. */
function processOf(home: Home, options: { readonly killAt?: number; readonly visit?: Partial<RunVisit> } = {}) {
  let points = 0
  const struck: string[] = []
  const reachPoint = (point: string) => {
    if (points++ !== options.killAt) return
    struck.push(point)
    throw new Error('killed')
  }
  const recorded: (CountIncrement & { readonly namespace: string })[] = []
  const counts: Pick<RunCounts, 'recorded'> = {
    recorded: (to, ends) => void recorded.push(...ends.map((end) => ({ ...end, namespace: to }))),
  }
  const deps = { ...runDeps(), counts, reachPoint }
  let memory: RunMemory = { record: undefined }
  let ended: readonly EndedJob[] = []
  const step = async (more: Partial<RunVisit> = {}): Promise<VisitResult<RunLost> | 'Killed'> => {
    try {
      ended = await endsOf(home)
      const { result, happened } = await visitOnce(deps, {
        ...home.visit,
        ...options.visit,
        memory,
        pendingCompletions: () => ended,
        ...more,
      })
      const gone = happened.flatMap((each) => (each.kind === 'Acknowledged' ? each.ids : []))
      ended = ended.filter(({ id }) => !gone.includes(id))
      if (result.kind === 'Failed') throw result.error
      return result
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'killed') throw error
      memory = { record: undefined }
      ended = []
      return 'Killed'
    }
  }
  return {
    step,
    struck,
    recorded,
    memory: () => memory,
    /** Goes on until the run has finished and nothing is left to acknowledge. */
    async toTheEnd(): Promise<void> {
      for (;;) {
        const result = await step()
        if (
          result !== 'Killed' &&
          result.kind === 'Waiting' &&
          ended.length === 0 &&
          memory.record !== undefined &&
          viewRun(memory.record)?.finished
        )
          return
        if (result !== 'Killed' && (result.kind === 'Fenced' || result.kind === 'Unwanted')) return
        await new Promise((resolve) => setTimeout(resolve, 3))
      }
    },
  }
}

/** Everything that ran, by the handlers' own book. */
function workerOf(home: Home, ran: string[], handle: (node: string) => unknown = () => undefined) {
  return plainWorker(redis.port, home.queue, async (id) => {
    const node = id.slice(id.lastIndexOf('/') + 1)
    ran.push(node)
    return await handle(node)
  })
}
const likeDiamond = (node: string) => {
  if (node === 'c') throw new Error('no access')
  return { url: `https://example.com/${node}` }
}
const diamondStates = { a: 'Succeeded', b: 'Succeeded', c: 'Failed', d: 'Succeeded', e: 'Succeeded' }

test('a graph runs to its end: each node once, results reach the nodes that use them, every end is counted and announced', async () => {
  const home = await homeOf('whole', diamond)
  const ran: string[] = []
  await using _worker = workerOf(home, ran, likeDiamond)
  const own = processOf(home)
  await own.toTheEnd()
  expect(ran.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(await statesOf(home)).toEqual(diamondStates)
  expect(viewRun(await storedOf(home))?.finished).toMatchObject({ outcome: 'Succeeded' })
  await using plain = plainQueue(redis.port, home.queue)
  expect((await plain.getJob(idOf(home, 'd')))!.data).toEqual({ of: 'https://example.com/b' })
  expect(await countsOf(home)).toEqual([
    { succeeded: 4, failed: 1, missed: 0 },
    { succeeded: 1, failed: 0, missed: 0 },
  ])
  expect(own.recorded).toHaveLength(6)
  expect(own.recorded).toContainEqual({ namespace: 'whole', subjectKind: 'Queue', subject: home.queue, outcome: 'Failed' })
  expect(await endsOf(home)).toEqual([])
  expect((await broker.listOwners('default', '0')).owners.get(home.run)).toMatchObject(home.visit.marker)

  // At rest: whatever the number of visits, the server is asked nothing.
  const deps = runDeps()
  const asked: string[] = []
  const watched = new Proxy(broker, {
    get: (target, name) => {
      asked.push(String(name))
      return Reflect.get(target, name) as unknown
    },
  })
  const memory: RunMemory = { record: undefined }
  for (let visits = 0; visits < 5; visits++)
    expect((await visitOnce(deps, { ...home.visit, broker: watched, memory })).result).toEqual({ kind: 'Waiting', untilMs: undefined })
  expect(asked).toEqual(['readRun'])
})

test('a node end and its successor: one append, one place, then the acknowledgement', async () => {
  const home = await homeOf('trips', (queue) => [nodeOf(queue, 'a'), nodeOf(queue, 'b', ['a'])])
  const calls: string[] = []
  const watched = new Proxy(broker, {
    get(target, name) {
      calls.push(String(name))
      return Reflect.get(target, name) as unknown
    },
  })
  const own = processOf(home, { visit: { broker: watched } })
  await own.step()
  const ran: string[] = []
  {
    await using _worker = workerOf(home, ran)
    await eventually(async () => expect(await endsOf(home)).toHaveLength(1))
  }
  calls.length = 0
  await own.step()
  expect(calls).toEqual(['appendRun', 'placeJobs', 'acknowledgeEnded'])
})

test('killed at any point, and started again with nothing: each node runs once, and counts once', async () => {
  const points = new Set<string>()
  let next = 0
  /** Whether the point was reached. */
  const one = async (killAt: number): Promise<boolean> => {
    const home = await homeOf(`killed-${killAt}`, diamond)
    const ran: string[] = []
    await using _worker = workerOf(home, ran, likeDiamond)
    const own = processOf(home, { killAt })
    await own.toTheEnd()
    for (const point of own.struck) points.add(point)
    const where = `killed at ${own.struck.join()} (${killAt})`
    expect(ran.toSorted(), where).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await statesOf(home), where).toEqual(diamondStates)
    expect(await countsOf(home), where).toEqual([
      { succeeded: 4, failed: 1, missed: 0 },
      { succeeded: 1, failed: 0, missed: 0 },
    ])
    expect(await endsOf(home), where).toEqual([])
    return own.struck.length > 0
  }
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (await one(next++));
    }),
  )
  console.info(`killed at ${next} points: ${[...points].toSorted().join(', ')}`)
  expect([...points]).toEqual(expect.arrayContaining(['before append begin', 'after append end', 'before place', 'after acknowledge']))
})

test('cancelled: waiting jobs are removed, also between two attempts, running jobs continue and do not count; nothing else starts', async () => {
  const retry = { task: { type: 'x', queue: '', retry: { maxRetries: 5, initialDelaySeconds: 600 } } }
  const home = await homeOf('cancelled', (queue) => [
    nodeOf(queue, 'runs'),
    nodeOf(queue, 'retries', [], { task: { ...retry.task, queue } }),
    nodeOf(`${queue}-idle`, 'waits'),
    nodeOf(queue, 'later', ['runs']),
  ])
  const running = Promise.withResolvers<void>()
  const ran: string[] = []
  await using worker = workerOf(home, ran, async (node) => {
    if (node === 'retries') throw new Error('not yet')
    await running.promise
  })
  const own = processOf(home)
  await own.step()
  await using plain = plainQueue(redis.port, home.queue)
  await eventually(async () => expect(await plain.getJobCounts()).toMatchObject({ active: 1, delayed: 1 }))
  await own.step({ desired: 'Cancelled' })
  expect(await statesOf(home)).toEqual({ runs: 'Cancelled', retries: 'Cancelled', waits: 'Cancelled', later: 'Omitted' })
  const stored = await storedOf(home)
  expect(viewRun(stored)?.finished).toMatchObject({ outcome: 'Cancelled' })
  expect(viewNodes(stored)[0]?.ended?.message).toContain(`still runs in queue ${home.queue}`)
  expect(await plain.getJobCounts()).toMatchObject({ active: 1, delayed: 0 })
  running.resolve()
  await eventually(async () => expect(await endsOf(home)).toHaveLength(1))
  const { length } = await storedOf(home)
  await own.step({ desired: 'Cancelled' })
  expect(await endsOf(home)).toEqual([])
  expect((await storedOf(home)).length).toBe(length)
  expect(ran.toSorted()).toEqual(['retries', 'runs'])
  expect(await countsOf(home)).toEqual([
    { succeeded: 0, failed: 0, missed: 0 },
    { succeeded: 0, failed: 0, missed: 0 },
  ])
  await worker.close()
})

test('two processes: the one with the higher epoch continues, and late writes of the other have no effect', async () => {
  const home = await homeOf('two', diamond)
  const ran: string[] = []
  const first = processOf(home)
  await first.step()
  const proof = { ...home.proof, epoch: 2 }
  await lead(broker, proof)
  const second = processOf(home, { visit: { proof } })
  await using _worker = workerOf(home, ran, likeDiamond)
  const frozen = (async () => {
    for (let tries = 0; tries < 50; tries++) {
      const result = await first.step()
      // It may look, and finds out with whatever it sends.
      if (result !== 'Killed') expect(['Fenced', 'Waiting']).toContain(result.kind)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  await Promise.all([second.toTheEnd(), frozen])
  expect(ran.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(await statesOf(home)).toEqual(diamondStates)
  expect(await countsOf(home)).toMatchObject([{ succeeded: 4, failed: 1, missed: 0 }, { succeeded: 1 }])
  expect(first.recorded).toEqual([])
})

test('deleted, and killed at any point of that: nothing waits or is stored any more, and nothing runs that had not started', async () => {
  const points = new Set<string>()
  for (let killAt = 0; ; killAt++) {
    const home = await homeOf(`deleted-${killAt}`, (queue) => [
      nodeOf(queue, 'ends'),
      nodeOf(`${queue}-idle`, 'waits'),
      nodeOf(queue, 'later', ['ends']),
    ])
    const ran: string[] = []
    await processOf(home).step()
    await using _worker = workerOf(home, ran)
    await eventually(async () => expect(await endsOf(home)).toHaveLength(1))
    const own = processOf(home, { killAt, visit: { desired: 'Deleted' } })
    for (let result = await own.step(); result === 'Killed' || result.kind !== 'Deleted';) result = await own.step()
    const where = `killed at ${own.struck.join()} (${killAt})`
    const left = (await client.keys(`bull:*${home.namespace}*`)).filter((key) => /run:|waits|done\/.*:(tm|wait)/u.test(key))
    expect(left, where).toEqual([])
    expect(ran, where).toEqual(['ends'])
    if (own.struck.length === 0) break
    for (const point of own.struck) points.add(point)
  }
  expect([...points].toSorted()).toEqual(
    ['acknowledge', 'append forget', 'delete', 'remove'].flatMap((what) => [`before ${what}`, `after ${what}`]).toSorted(),
  )
})

test('an end of an object that had the name before is acknowledged and means nothing', async () => {
  const home = await homeOf('again', (queue) => [nodeOf(queue, 'a')])
  const former = nodeJobId(home.run, 'ffffffff', 'a')
  const job = { id: former, doneQueue: home.visit.doneQueue, queue: `${home.queue}-former`, name: 'a', data: {}, dueAtMs: 0, attempts: 1 }
  await broker.placeJobs([{ ...job, done: { v: 1, run: home.run, token: 'ffffffff', node: 'a' } }], Date.now(), home.proof)
  await using plain = plainQueue(redis.port, job.queue)
  await plain.remove(former)
  const own = processOf(home)
  await own.step()
  expect(await endsOf(home)).toEqual([])
  expect(await statesOf(home)).toEqual({ a: 'Running' })
})

test('a log that a later version wrote is not written to', async () => {
  const home = await homeOf('later', (queue) => [nodeOf(queue, 'a')])
  await broker.appendRun({ run: home.run, expectedLength: 0, entries: ['{"v":2}'], marker: home.visit.marker, proof: home.proof })
  await expect(processOf(home).step()).rejects.toMatchObject({ code: 'TM_LEDGER_UNREADABLE' })
  expect((await broker.readRun(home.run, 0)).entries).toEqual(['{"v":2}'])
})

test('deleted while no operator runs: waiting jobs are removed, recorded ends are removed, and so is the later end of a running job', async () => {
  const home = await homeOf('swept', (queue) => [nodeOf(queue, 'runs'), nodeOf(queue, 'ends'), nodeOf(`${queue}-idle`, 'waits')])
  const kept = await homeOf('kept', (queue) => [nodeOf(`${queue}-idle`, 'waits')])
  await processOf(home).step()
  await processOf(kept).step()
  const running = Promise.withResolvers<void>()
  await using worker = workerOf(home, [], async (node) => void (node === 'runs' && (await running.promise)))
  await eventually(async () => expect(await endsOf(home)).toHaveLength(1))

  const brokers = createBrokers({ connect: (endpoint) => connectBroker({ ...endpoint, log: silentLogger, clock: systemClock }) })
  const stop = new AbortController()
  const deletedRuns = new Set<string>()
  const deps = { clock: systemClock, log: silentLogger, brokerClock: createBrokerClock(systemClock) }
  const endpoint = { address: redis.address, keyPrefix: 'bull' }
  const orphanedData = createOrphanedData({
    ...deps,
    brokers,
    jobs: createJobs({ ...deps, client: {} as never, cache: { get: () => undefined, byIndex: () => [] } }),
    installation: 'default',
    cluster: 'c1',
    holder: home.proof.holder,
    by: 'p',
    epoch: () => 5,
    exists: (kind, namespace, name) => kind !== 'TaskExecution' || namespace !== 'swept' || name !== 'x7k2p',
    findThere: async () => new Set(),
    isNamed: async () => true,
    isWatched: () => true,
    deletedRuns: { add: (key) => deletedRuns.add(key) },
    taskBrokers: {
      list: (namespace) => {
        const spec = { standalone: { address: redis.address }, keyPrefix: 'bull' }
        return [{ metadata: { namespace, name: 'default' }, spec } as TaskBroker]
      },
    },
    directory: { get: () => ({ kind: 'Known', endpoint }) },
    dispatchLeases: {
      state: (key) => ({ kind: 'Active', proof: { ...home.proof, dispatcher: `default/${key.slice(0, key.indexOf('/'))}` } }),
    },
  })
  orphanedData.start(stop.signal)
  orphanedData.watchBroker(endpoint)
  const leftOf = async () =>
    (await client.keys('bull:*')).filter((key) => key.includes('swept') && /run:|waits|done\/default\/swept:tm/u.test(key))
  await eventually(async () => expect((await leftOf()).filter((key) => !key.includes('/runs'))).toEqual([]))
  expect((await broker.listOwners('default', '0')).owners.has(home.run)).toBe(false)
  expect(await statesOf(kept)).toEqual({ waits: 'Running' })
  expect([...deletedRuns]).toEqual(['swept/x7k2p'])
  running.resolve()
  await eventually(async () => expect(await endsOf(home)).toHaveLength(1))
  orphanedData.lookAgain()
  await eventually(async () => expect(await leftOf()).toEqual([]))
  stop.abort()
  await orphanedData.stopped
  await brokers.close()
  await worker.close()
})
