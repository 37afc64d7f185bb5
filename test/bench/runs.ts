/**
 * Graphs of 200 nodes whose jobs do nothing, driven to their end, against an application that adds each next job itself when BullMQ tells it
 * that the one before has completed: it records nothing and survives nothing.
 */
import { Queue, Worker } from 'bullmq'
import { connectBroker } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { doneQueue, runName } from '../../src/contract/index.ts'
import { compileGraph, viewRun, type PlanNode } from '../../src/graph/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { createBrokerClock, createBrokers } from '../../src/services/brokers/index.ts'
import { visitRecord } from '../../src/services/engine/index.ts'
import { createRunKind, type RunMemory } from '../../src/services/runs/index.ts'
import { createTracking } from '../../src/services/tracking/index.ts'
import { createSignals } from '../../src/services/signals/index.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'
import { printRows } from './table.ts'

type Shape = { readonly layers: number; readonly width: number }
/** From the end of the last node that it waits for: until it was added, and until a worker began with it. */
type Measured = { readonly added: readonly number[]; readonly begun: readonly number[]; readonly wholeMs: number }

const namespace = 'bench'
const queue = 'bench'
const concurrency = 20

const nameOf = (layer: number, index: number): string => `n-${layer}-${index}`

function planOf({ layers, width }: Shape): readonly PlanNode[] {
  return Array.from({ length: layers * width }, (_, at): PlanNode => {
    const [layer, index] = [Math.floor(at / width), at % width]
    const dependsOn =
      layer === 0 ? [] : Array.from({ length: width }, (__, of) => ({ name: nameOf(layer - 1, of), condition: 'Succeeded' as const }))
    const task = { type: 'nothing', queue, retry: { maxRetries: 0, initialDelaySeconds: 0 } }
    return { name: nameOf(layer, index), dependsOn, required: true, task }
  })
}

/** When what happened to each node. */
function bookOf({ width }: Shape) {
  const begun = new Map<string, number>()
  const ended = new Map<string, number>()
  const added = new Map<string, number>()
  return {
    begun,
    ended,
    added,
    measured(startedMs: number): Measured {
      const since = (moments: ReadonlyMap<string, number>) =>
        [...moments].flatMap(([node, atMs]) => {
          const [, layer = 0] = node.split('-').map(Number)
          if (layer === 0) return []
          const before = Array.from({ length: width }, (_, index) => ended.get(nameOf(layer - 1, index)) ?? Number.NaN)
          return [atMs - Math.max(...before)]
        })
      return { added: since(added), begun: since(begun), wholeMs: performance.now() - startedMs }
    },
  }
}

function workerOf(redis: RedisServer, book: ReturnType<typeof bookOf>): Worker {
  return new Worker(
    queue,
    async ({ id = '' }) => {
      const node = id.slice(id.lastIndexOf('/') + 1)
      book.begun.set(node, performance.now())
      await Promise.resolve()
      book.ended.set(node, performance.now())
    },
    { connection: { port: redis.port, host: '127.0.0.1' }, concurrency },
  )
}

async function taskmill(redis: RedisServer, shape: Shape): Promise<Measured> {
  const compiled = compileGraph({ name: 'run', nodes: planOf(shape), finally: [], onNodeFailure: 'Stop', parameters: {} })
  if (!compiled.ok) throw new Error('the plan is wrong')
  const deps = { clock: systemClock, log: silentLogger }
  const endpoint = { address: redis.address, keyPrefix: 'bull' }
  const brokers = createBrokers({ connect: (each) => connectBroker({ ...each, ...deps }) })
  const signals = createSignals({ ...deps, brokers })
  const tracking = createTracking({ ...deps, brokers, signals, isGone: () => false, proofIn: () => undefined })
  const { broker, release } = brokers.acquire(endpoint)
  const proof = { dispatcher: `default/${namespace}`, epoch: 1, holder: 'bench' }
  await broker.claimDispatch([{ ...proof, by: 'bench', patienceMs: 30_000, cluster: 'bench' }])
  const book = bookOf(shape)
  const worker = workerOf(redis, book)
  await worker.waitUntilReady()

  // The book knows from when on a worker could take a job.
  const watched = Object.assign(Object.create(broker) as typeof broker, {
    placeJobs: async (...request: Parameters<typeof broker.placeJobs>) => {
      const outcome = await broker.placeJobs(...request)
      for (const { done } of request[0]) if ('node' in done) book.added.set(done.node, performance.now())
      return outcome
    },
  })
  const runDeps = { ...deps, brokerClock: createBrokerClock(systemClock) }
  const run = runName('default', namespace, 'run')
  const owner = { owner: run, doneQueue: doneQueue('default', namespace), endpoint }
  const memory: RunMemory = { record: undefined }
  const finished = Promise.withResolvers<void>()
  const { signal } = new AbortController()
  let visiting = false
  let again = false
  const visit = async (): Promise<void> => {
    again = visiting
    if (visiting) return
    visiting = true
    const kind = createRunKind(runDeps, {
      broker: watched,
      proof,
      signal,
      marker: { v: 1, cluster: 'bench', kind: 'TaskExecution', namespace, name: 'run', deletionPolicy: 'Delete' },
      run,
      doneQueue: owner.doneQueue,
      memory,
      desired: 'Running',
      begin: { token: '00000000', graph: compiled.graph },
      pendingCompletions: () => tracking.ended(run),
      subjects: [{ subjectKind: 'TaskDependency', subject: 'bench' }],
    })
    const { result, happened } = await visitRecord(kind, memory, { proof, signal })
    if (result.kind === 'Failed') throw result.error
    for (const each of happened) if (each.kind === 'Acknowledged') tracking.acknowledged(run, each.ids)
    visiting = false
    if (memory.record !== undefined && viewRun(memory.record)?.finished !== undefined) finished.resolve()
    else if (again) await visit()
  }
  const look = () => void visit().catch(finished.reject)
  tracking.changesOf('TaskExecution').onChange(look)
  tracking.track(owner)
  const startedMs = performance.now()
  look()
  await finished.promise
  const measured = book.measured(startedMs)
  await worker.close()
  await tracking.stop()
  await signals.stop()
  await release()
  await brokers.close()
  return measured
}

async function bullmq(redis: RedisServer, shape: Shape): Promise<Measured> {
  const jobs = new Queue(queue, { connection: { port: redis.port, host: '127.0.0.1' } })
  const book = bookOf(shape)
  const worker = workerOf(redis, book)
  await worker.waitUntilReady()
  const finished = Promise.withResolvers<void>()
  const left = new Map<number, number>()
  const add = async (layer: number): Promise<void> => {
    left.set(layer, shape.width)
    const names = Array.from({ length: shape.width }, (_, index) => nameOf(layer, index))
    await jobs.addBulk(names.map((name) => ({ name: 'nothing', data: {}, opts: { jobId: name } })))
    for (const name of names) book.added.set(name, performance.now())
  }
  worker.on('completed', ({ id = '' }) => {
    const [, layer = 0] = id.split('-').map(Number)
    left.set(layer, (left.get(layer) ?? 0) - 1)
    if (left.get(layer) !== 0) return
    if (layer + 1 === shape.layers) finished.resolve()
    else void add(layer + 1).catch(finished.reject)
  })
  const startedMs = performance.now()
  await add(0)
  await finished.promise
  const measured = book.measured(startedMs)
  await worker.close()
  await jobs.close()
  return measured
}

export async function benchRuns(): Promise<void> {
  await using redis = await redisServer({ isDurable: true })
  for (const shape of [
    { layers: 200, width: 1 },
    { layers: 20, width: 10 },
  ]) {
    const measure = async (engine: typeof taskmill): Promise<Measured> => {
      await redis.client.flushall()
      return await engine(redis, shape)
    }
    // The first of each is for the code to be warm.
    await measure(bullmq)
    await measure(taskmill)
    const [peer, ours] = [await measure(bullmq), await measure(taskmill)]
    const perNode = ({ wholeMs }: Measured) => (wholeMs / (shape.layers * shape.width)).toFixed(2)
    const title = `a run of ${shape.layers * shape.width} nodes, ${shape.layers} layers of ${shape.width}`
    printRows(
      `${title}: end of a node → its successor is added (ms)`,
      [{ name: 'taskmill', values: ours.added, more: [perNode(ours)] }],
      { name: 'own code on BullMQ', values: peer.added, more: [perNode(peer)] },
      ['ms/node'],
    )
    printRows(`${title}: end of a node → its successor has begun (ms)`, [{ name: 'taskmill', values: ours.begun }], {
      name: 'own code on BullMQ',
      values: peer.begun,
    })
  }
}
