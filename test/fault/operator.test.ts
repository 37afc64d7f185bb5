/**
 * The slice under attack: a burst is worked off while the operator is killed, Redis is killed and the API server is killed and stopped.
 * Counted by the handlers in a file of their own. The seed is printed; SEED=… repeats the moments.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startControlPlane, type ControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { deployments, findCondition, workerPools, type Deployment, type WorkerPool } from '../../src/api/index.ts'
import { connectCluster, installCrds, observe } from '../support/cluster-client.ts'
import { seed } from '../support/draws.ts'
import { createBroker, createPool } from '../support/manifests.ts'
import { productEntry, startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { watchReplicas } from '../support/replica-watch.ts'
import { startWorker, type WorkerProcess } from '../support/worker-process.ts'

const namespace = 'default'
const folder = mkdtempSync(join(tmpdir(), 'taskmill-fault-'))
let controlPlane: ControlPlane
let redis: RedisServer
let client: Awaited<ReturnType<typeof connectCluster>>
let operator: OperatorProcess
let isSupervised = true
const workers: WorkerProcess[] = []
const queues: Queue[] = []
const stopWatching = new AbortController()

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  ;[controlPlane, redis] = await Promise.all([startControlPlane(), startRedis({ appendonly: 'always' })])
  client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  operator = launch()
  await createBroker(client, namespace, redis.address)
})

/** The kubelet's part: an operator that is killed is started again in its pod. */
function launch(): OperatorProcess {
  const launched = startOperator({ cluster: controlPlane, entry: productEntry })
  void launched.exited.then(() => {
    if (isSupervised && operator === launched) operator = launch()
  })
  return launched
}

afterAll(async () => {
  isSupervised = false
  stopWatching.abort()
  await Promise.allSettled([...workers.map((worker) => worker.kill()), operator?.kill()])
  await Promise.allSettled([...queues.map((queue) => queue.close()), client?.close()])
  await Promise.allSettled([redis?.stop(), controlPlane?.stop()])
  rmSync(folder, { recursive: true })
})

/** Every number of replicas that a Deployment is seen to ask for from now on, in order. */
const recordReplicas = (name: string): readonly number[] => watchReplicas(client, namespace, stopWatching.signal).record(name)

function queueOf(name: string): Queue {
  const queue = new Queue(name, { connection: { host: redis.host, port: redis.port } })
  queue.on('error', () => undefined)
  queues.push(queue)
  return queue
}

async function addJobs(queue: Queue, count: number, ms: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${queue.name}-${index}`)
  await queue.addBulk(ids.map((jobId) => ({ name: 'record', data: { ms }, opts: { jobId, attempts: 3 } })))
  return ids
}

function runsIn(file: string): readonly string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean)
}

/** All ids were recorded; the test's timeout ends the wait. */
async function untilDone(file: string, ids: readonly string[]): Promise<void> {
  while (new Set(runsIn(file)).size < ids.length) await sleep(100)
}

/** A small generator with a seed (mulberry32), so that the moments of a failed run can be had again. */
function random(state: number): () => number {
  let a = state
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The field managers of `spec.replicas`. */
function replicaManagers({ metadata }: Deployment): readonly string[] {
  const entries = metadata.managedFields as readonly { readonly manager: string; readonly fieldsV1?: { readonly 'f:spec'?: object } }[]
  return entries.filter((entry) => Object.hasOwn(entry.fieldsV1?.['f:spec'] ?? {}, 'f:replicas')).map((entry) => entry.manager)
}

const deployment = (name: string, holds: (object: Deployment | undefined) => boolean): Promise<Deployment | undefined> =>
  observe(client, deployments, { namespace, name }, holds)
const ready = (name: string, reason: string): Promise<WorkerPool | undefined> =>
  observe(client, workerPools, { namespace, name }, (object) => findCondition(object?.status?.conditions, 'Ready')?.reason === reason)
const scaling = { maxReplicas: 8, targetBacklogPerReplica: 20, behavior: { scaleDown: { stabilizationWindowSeconds: 2 } } }

it('the operator is killed again and again during a burst: each job runs once, the pool goes up and comes back to zero', async () => {
  const rng = random(seed)
  const file = join(folder, 'killed')
  writeFileSync(file, '')
  const queue = queueOf('killed')
  await createPool(client, namespace, 'killed', { queues: [{ name: 'killed' }], scaling })
  await deployment('killed', (object) => object?.spec.replicas === 0)
  const seen = recordReplicas('killed')
  workers.push(startWorker({ address: redis.address, queues: ['killed'], recordFile: file, pod: 'killed-0' }))

  const ids = await addJobs(queue, 400, 30)
  const done = untilDone(file, ids)
  for (let kill = 0; kill < 4; kill += 1) {
    await sleep(Math.round(rng() * 1200))
    await operator.kill()
  }
  await done
  await deployment('killed', (object) => object?.spec.replicas === 0)
  await ready('killed', 'ScaledToZero')
  expect(runsIn(file).toSorted()).toEqual(ids.toSorted())
  expect(Math.max(...seen)).toBe(8)
  expect(
    seen.filter((replicas, index) => index > 0 && replicas > (seen[index - 1] ?? 0)).length,
    `replicas over time: ${seen.join(' ')}`,
  ).toBeLessThanOrEqual(2)
})

it('Redis is killed in the middle of a burst: the replicas stay, nothing is lost, the work continues by itself', async () => {
  const file = join(folder, 'redis')
  writeFileSync(file, '')
  const queue = queueOf('redis')
  await createPool(client, namespace, 'redis', { queues: [{ name: 'redis' }], scaling })
  await deployment('redis', (object) => object?.spec.replicas === 0)
  const ids = await addJobs(queue, 300, 30)
  await deployment('redis', (object) => object?.spec.replicas === 8)
  workers.push(startWorker({ address: redis.address, queues: ['redis'], recordFile: file, pod: 'redis-0' }))
  while (runsIn(file).length < 20) await sleep(20)

  const seen = recordReplicas('redis')
  await redis.kill()
  const blind = await ready('redis', 'BrokerUnreachable')
  expect(blind?.status?.decision).toMatch(/^8 replicas: held, because the queues cannot be read since /u)
  await sleep(3000)
  expect(seen).toEqual([8])
  await redis.restart()
  await untilDone(file, ids)
  await deployment('redis', (object) => object?.spec.replicas === 0)
  expect(new Set(runsIn(file))).toEqual(new Set(ids))
  // Finished in the moment of the kill, before the worker could write it to Redis: such a job runs again, as "at least once" says.
  expect(runsIn(file).length - ids.length).toBeLessThanOrEqual(4)
})

/** What may befall an API server; each resolves when it serves again. */
const outages: Readonly<Record<string, () => Promise<void>>> = {
  async killed() {
    await controlPlane.kill9ApiServer()
    await sleep(1500)
    await controlPlane.restartApiServer()
  },
  async 'stopped for 20 s'() {
    await controlPlane.stopApiServer()
    await sleep(20_000)
    await controlPlane.restartApiServer()
  },
  async 'silent for 8 s'() {
    controlPlane.freezeApiServer()
    await sleep(8000)
    controlPlane.thawApiServer()
  },
  async 'slow for 8 s'() {
    for (let turn = 0; turn < 16; turn += 1) {
      controlPlane.freezeApiServer()
      await sleep(400)
      controlPlane.thawApiServer()
      await sleep(100)
    }
  },
}

it.each(Object.keys(outages))(
  'the API server is %s: workers go on, and the operator does what is due when it serves again',
  async (what) => {
    const name = `api-${what.replaceAll(' ', '-')}`
    const file = join(folder, name)
    writeFileSync(file, '')
    const [queue, next] = [queueOf(name), queueOf(`${name}-next`)]
    await createPool(client, namespace, name, { queues: [{ name }], scaling })
    await createPool(client, namespace, `${name}-next`, { queues: [{ name: `${name}-next` }], scaling })
    await deployment(name, (object) => object?.spec.replicas === 0)
    await deployment(`${name}-next`, (object) => object?.spec.replicas === 0)
    const worker = startWorker({ address: redis.address, queues: [name], recordFile: file, pod: `${name}-0` })
    workers.push(worker)

    const outage = outages[what]?.()
    const [ids] = await Promise.all([addJobs(queue, 100, 40), addJobs(next, 1, 0)])
    await untilDone(file, ids)
    await outage
    await deployment(`${name}-next`, (object) => object?.spec.replicas === 1)
    await deployment(name, (object) => object?.spec.replicas === 0)
    expect(runsIn(file).toSorted()).toEqual(ids.toSorted())
    await worker.stop()
  },
)

it('the operator is killed while it creates Deployments: none of them ever asks for a pod that is not needed', async () => {
  const rng = random(seed + 1)
  const names = Array.from({ length: 8 }, (_, index) => `born-${index}`)
  const seen = names.map(recordReplicas)
  for (const name of names) {
    await createPool(client, namespace, name, { queues: [{ name }], scaling })
    await sleep(Math.round(rng() * 60))
    await operator.kill()
    await operator.logged('leading')
  }
  for (const name of names) await ready(name, 'ScaledToZero')
  expect(seen).toEqual(names.map(() => [0]))
  const owners = await Promise.all(names.map(async (name) => replicaManagers(await client.get(deployments, namespace, name))))
  expect(owners).toEqual(names.map(() => ['taskmill-replicas']))
})

it('two operators: one leads, and the other takes over at once when the first is stopped', async () => {
  await operator.logged('leading')
  await using second = startOperator({ cluster: controlPlane, entry: productEntry, identity: 'operator-1' })
  await createPool(client, namespace, 'handover', { queues: [{ name: 'handover' }], scaling })
  await deployment('handover', (object) => object?.spec.replicas === 0)
  expect(second.lines.filter((line) => line.msg === 'scaled')).toEqual([])
  isSupervised = false
  await operator.stop()
  const queue = queueOf('handover')
  await queue.add('record', { ms: 0 })
  await deployment('handover', (object) => object?.spec.replicas === 1)
  expect(await second.logged('scaled')).toMatchObject({ pool: 'default/handover', from: 0, to: 1 })
})
