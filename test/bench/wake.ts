/**
 * Job added -> replicas written, from zero: the operator against a naive poller (reads the length of the list once a second and writes
 * `/scale`) on the same API server and Redis, in the same rounds. Each round adds one job to a queue of either at a random moment and
 * takes the time until the Deployment asks for a replica, as seen by one watch.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis } from '../../hack/cluster/redis.ts'
import { deployments, type Deployment } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { connectCluster, installCrds } from '../support/cluster-client.ts'
import { createBroker, createPool } from '../support/manifests.ts'
import { startOperator } from '../support/operator-process.ts'
import { printComparison } from './table.ts'

const namespace = 'default'
const pollMs = 1000

export async function benchWake(rounds: number): Promise<void> {
  await using controlPlane = await startControlPlane()
  await using redis = await startRedis()
  await using client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  await using _operator = startOperator({ kubeconfig: controlPlane.kubeconfig })
  await createBroker(client, namespace, redis.address)
  const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } }
  await createPool(client, namespace, 'ours', { queues: [{ name: 'ours' }], scaling: { behavior } })
  await createTheirs(client)

  const stop = new AbortController()
  const replicas = watchReplicas(client, stop.signal)
  const connection = { host: redis.host, port: redis.port }
  const [ours, theirs] = [new Queue('ours', { connection }), new Queue('theirs', { connection })]
  const polling = poll(client, theirs, stop.signal)
  await replicas.until('ours', 0)

  const times = { ours: [] as number[], theirs: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    await sleep(Math.random() * pollMs)
    await Promise.all(
      (['ours', 'theirs'] as const).map(async (name) => {
        const startedMs = performance.now()
        const written = replicas.until(name, 1)
        await (name === 'ours' ? ours : theirs).add('job', {})
        await written
        times[name].push(performance.now() - startedMs)
      }),
    )
    await Promise.all([ours.drain(), theirs.drain()])
    await Promise.all([replicas.until('ours', 0), replicas.until('theirs', 0)])
  }
  stop.abort()
  await polling
  await Promise.all([ours.close(), theirs.close()])
  printComparison('job added -> first replica written', 'ms', times.ours, times.theirs, 'poller, 1 s')
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
    const wanted = (await queue.getWaitingCount()) > 0 ? 1 : 0
    if (wanted !== written) {
      const change = { metadata: { namespace, name: 'theirs' }, spec: { replicas: wanted } }
      await client.apply(deployments, change, { fieldManager: 'poller', force: true })
      written = wanted
    }
    await sleep(pollMs, undefined, { signal }).catch(() => undefined)
  }
}

function watchReplicas(client: KubeClient, signal: AbortSignal): { until(name: string, replicas: number): Promise<void> } {
  const informer = createInformer<Deployment>({
    client,
    resource: deployments,
    namespace,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
  })
  informer.start(signal)
  return {
    until: (name, replicas) =>
      new Promise((resolve) => {
        const holds = (): boolean => informer.get(`${namespace}/${name}`)?.spec.replicas === replicas
        if (holds()) return resolve()
        const end = informer.onChange(() => {
          if (!holds()) return
          end()
          resolve()
        })
      }),
  }
}
