/** Composes the operator: the only place where its parts meet the environment, the clock, chance and the network. */
import { readFile } from 'node:fs/promises'
import { deployments, taskBrokers, workerPools, type Deployment, type TaskBroker, type WorkerPool } from '../api/index.ts'
import { connectBroker } from '../broker/index.ts'
import { systemClock as clock } from '../clock/index.ts'
import { labels } from '../contract/index.ts'
import { createTaskBrokerController } from '../controllers/task-broker/index.ts'
import { createWorkerPoolController } from '../controllers/worker-pool/index.ts'
import { createEventRecorder, createInformerOfNamespaces, createKubeClient, createLease, loadKubeConfig } from '../kube/index.ts'
import { createLogger, createMetrics } from '../observability/index.ts'
import { createController, createElector, createManager, type Controller, type Reconcile } from '../runtime/index.ts'
import { createBrokers, createSignals } from '../services/index.ts'
import { operatorConfig } from './operator-config.ts'
import { serveProbes } from './probes.ts'

export type OperatorInputs = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts on SIGTERM or SIGINT. */
  readonly stop: AbortSignal
  readonly version: string
}

/** What the first list brings waits behind what people change. */
const startPriority = -100
const reconcilesAtOnce = 8

/** Runs until stopped; rejects when the Lease is lost or a part fails, so that the process ends and is started anew. */
export async function runOperator({ env, stop, version }: OperatorInputs): Promise<void> {
  const config = operatorConfig(env)
  const log = createLogger({ level: config.logLevel })
  const metrics = createMetrics()
  const rng = Math.random
  const connection = await loadKubeConfig({ env, readFile: (path) => readFile(path, 'utf8'), clock })
  const client = createKubeClient({ ...connection, clock, userAgent: `taskmill/${version}` })
  const events = createEventRecorder({ client, clock, log, component: 'taskmill.dev/operator', instance: config.identity })

  const informerDeps = { client, clock, log, rng, namespaces: config.watchNamespaces }
  const pools = createInformerOfNamespaces<WorkerPool>({ ...informerDeps, resource: workerPools })
  const taskBrokerCache = createInformerOfNamespaces<TaskBroker>({ ...informerDeps, resource: taskBrokers })
  const poolDeployments = createInformerOfNamespaces<Deployment>({ ...informerDeps, resource: deployments, labelSelector: labels.pool })

  const brokers = createBrokers({ connect: (endpoint) => connectBroker({ ...endpoint, log, clock }) })
  const signals = createSignals({ brokers, clock, log })

  const controllerOf = (name: string, reconcile: Reconcile, concurrency: number): Controller =>
    createController({
      name,
      reconcile,
      concurrency,
      clock,
      log,
      rng,
      hooks: { onReconcile: (result, seconds) => metrics.reconciled(name, result, seconds) },
    })
  const poolReconciler = createWorkerPoolController({
    client,
    pools,
    brokers: taskBrokerCache,
    deployments: poolDeployments,
    signals,
    events,
    metrics,
    clock,
    enqueue: (key) => poolController.enqueue(key),
  })
  const poolController = controllerOf('worker-pool', (key, context) => poolReconciler.reconcile(key, context), reconcilesAtOnce)
  const brokerReconciler = createTaskBrokerController({ client, taskBrokers: taskBrokerCache, brokers, events, clock })
  const brokerController = controllerOf('task-broker', (key, context) => brokerReconciler.reconcile(key, context), reconcilesAtOnce)

  let synced = false
  const priority = () => (synced ? 0 : startPriority)
  pools.onChange((key) => poolController.enqueue(key, { priority: priority() }))
  poolDeployments.onChange((key) => poolController.enqueue(key, { priority: priority() }))
  taskBrokerCache.onChange((key, current) => {
    brokerController.enqueue(key, { priority: priority() })
    for (const pool of poolsOf(pools.list(key.split('/')[0]), current?.metadata.name ?? key.split('/')[1])) {
      poolController.enqueue(pool, { priority: priority() })
    }
  })

  const elector = createElector({
    lease: createLease(client, config.lease),
    identity: config.identity,
    clock,
    log,
    rng,
    hooks: { onLeading: (leading) => metrics.leading(config.lease.name, leading) },
  })
  const manager = createManager({
    elector,
    warm: [
      { name: 'cache of WorkerPools', ...pools },
      { name: 'cache of TaskBrokers', ...taskBrokerCache },
      { name: 'cache of Deployments', ...poolDeployments },
    ],
    leading: [brokerController, poolController],
    clock,
    log,
  })

  const probes = await serveProbes({ port: config.httpPort, metrics, isReady: () => synced })
  log.info({ version, identity: config.identity, port: probes.port }, 'operator started')
  Promise.all([pools.synced, taskBrokerCache.synced, poolDeployments.synced]).then(
    () => void (synced = true),
    (error: unknown) => log.debug({ err: error }, 'stopped before the caches were synced'),
  )
  try {
    await manager.run(stop)
  } finally {
    await Promise.allSettled([signals.stop(), events.flush(), probes.close()])
    await Promise.allSettled([brokers.close(), client.close()])
    log.info({}, 'operator stopped')
  }
}

/** The keys of the pools that use a TaskBroker. */
function poolsOf(pools: readonly WorkerPool[], broker: string | undefined): readonly string[] {
  return pools.filter((pool) => pool.spec.brokerRef.name === broker).map((pool) => `${pool.metadata.namespace ?? ''}/${pool.metadata.name}`)
}
