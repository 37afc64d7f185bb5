/**
 * Jobs added -> replicas written, from zero: the operator against a naive poller (reads the length of the list once a second and writes
 * `/scale` by the same rule) on the same API server and Redis, in the same rounds. Each round adds as many jobs to a queue of either at a
 * random moment and takes the time until the Deployment asks for the replicas, as seen by one watch. One job wakes a pool, a burst takes
 * it to its limit. Pods never run here: it is the decision and its write that are measured.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis } from '../../hack/cluster/redis.ts'
import { deployments, type Deployment } from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { connectCluster, installCrds } from '../support/cluster-client.ts'
import { createBroker, createPool } from '../support/manifests.ts'

import { watchReplicas, type ReplicaWatch } from '../support/replica-watch.ts'
import { startBenchedOperator } from './operator.ts'
import { printComparison } from './table.ts'

const namespace = 'default'
const pollMs = 1000
const peerName = 'poller, 1 s'
const rule = { maxReplicas: 100, targetBacklogPerReplica: 5 }
const burst = { jobs: 500, replicas: 100 }

const names = ['ours', 'theirs'] as const
type Sides = Readonly<Record<(typeof names)[number], Queue>>
type Times = { readonly ours: readonly number[]; readonly theirs: readonly number[] }

export async function benchWake(rounds: number, bursts: number): Promise<void> {
  await using controlPlane = await startControlPlane()
  await using redis = await startRedis()
  await using client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  await using _operator = startBenchedOperator(controlPlane)
  await createBroker(client, namespace, redis.address)
  const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } }
  await createPool(client, namespace, 'ours', { queues: [{ name: 'ours' }], scaling: { ...rule, behavior } })
  await createTheirs(client)

  const stop = new AbortController()
  const replicas = watchReplicas(client, namespace, stop.signal)
  const connection = { host: redis.host, port: redis.port }
  const queues = { ours: new Queue('ours', { connection }), theirs: new Queue('theirs', { connection }) }
  const polling = poll(client, queues.theirs, stop.signal)
  await bothAtZero(replicas)

  const wakes = await measure(queues, replicas, rounds, 1, 1)
  printComparison('job added -> first replica written', 'ms', wakes.ours, wakes.theirs, peerName)
  const peaks = await measure(queues, replicas, bursts, burst.jobs, burst.replicas)
  printComparison(`${burst.jobs} jobs added at once -> ${burst.replicas} replicas written`, 'ms', peaks.ours, peaks.theirs, peerName)
  stop.abort()
  await polling
  await Promise.all(names.map((name) => queues[name].close()))
}

async function measure(queues: Sides, replicas: ReplicaWatch, rounds: number, jobs: number, wanted: number): Promise<Times> {
  const times = { ours: [] as number[], theirs: [] as number[] }
  const added = Array.from({ length: jobs }, () => ({ name: 'job', data: {} }))
  for (let round = 0; round < rounds; round += 1) {
    await sleep(Math.random() * pollMs)
    await Promise.all(
      names.map(async (name) => {
        const startedMs = performance.now()
        const written = replicas.until(name, ({ spec }) => spec.replicas === wanted)
        await queues[name].addBulk(added)
        await written
        times[name].push(performance.now() - startedMs)
      }),
    )
    await Promise.all(names.map((name) => queues[name].drain()))
    await bothAtZero(replicas)
  }
  return times
}

/** Until the pods of the round before are gone as well, so that no round pays for another one's. */
async function bothAtZero(replicas: ReplicaWatch): Promise<void> {
  const isAtZero = ({ metadata, spec, status }: Deployment): boolean =>
    spec.replicas === 0 && status?.observedGeneration === metadata.generation && (status?.replicas ?? 0) === 0
  await Promise.all(names.map((name) => replicas.until(name, isAtZero)))
}

async function createTheirs(client: KubeClient): Promise<void> {
  const labels = { app: 'theirs' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'worker', image: 'localhost/none:1' }] } }
  await client.create(
    deployments,
    { metadata: { namespace, name: 'theirs' }, spec: { replicas: 0, selector: { matchLabels: labels }, template } },
    { fieldManager: 'bench' },
  )
}

async function poll(client: KubeClient, queue: Queue, signal: AbortSignal): Promise<void> {
  let written = 0
  while (!signal.aborted) {
    const wanted = Math.min(rule.maxReplicas, Math.ceil((await queue.getWaitingCount()) / rule.targetBacklogPerReplica))
    if (wanted !== written) {
      await client.patchScale(deployments, namespace, 'theirs', wanted, { fieldManager: 'poller' })
      written = wanted
    }
    await sleep(pollMs, undefined, { signal }).catch(() => undefined)
  }
}
