/** Composes the operator: the only place where its parts meet the environment, the clock, chance and the network. */
import { readFile } from 'node:fs/promises'
import { deployments, taskBrokers, workerPools, type Deployment, type KubeObject, type TaskBroker, type WorkerPool } from '../api/index.ts'
import { connectBroker } from '../broker/index.ts'
import { systemClock as clock } from '../clock/index.ts'
import { labels } from '../contract/index.ts'
import { createTaskBrokerController } from '../controllers/task-broker/index.ts'
import { createWorkerPoolController } from '../controllers/worker-pool/index.ts'
import {
  createEventRecorder,
  createInformerOfNamespaces,
  createKubeClient,
  createLease,
  loadKubeConfig,
  type EventRecorder,
} from '../kube/index.ts'
import { createLogger, createMetrics, loadTracer } from '../observability/index.ts'
import {
  createController,
  createElector,
  createLiveness,
  createManager,
  type Controller,
  type ControllerDeps,
  type Startable,
} from '../runtime/index.ts'
import { createBrokers, createEpochs, createSignals, createWriteBudget } from '../services/index.ts'
import { fenced } from './fence.ts'
import { leaseWithEpoch } from './lease-with-epoch.ts'
import { operatorConfig } from './operator-config.ts'
import { serveProbes } from './probes.ts'
import { traced } from './traced-client.ts'

export type OperatorInputs = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts on SIGTERM or SIGINT. */
  readonly stop: AbortSignal
  readonly version: string
}

/** What the first list brings waits behind what people change. */
const startPriority = -100
const reconcilesAtOnce = 8
const gaugeWritesPerSecond = 10

/** Runs until stopped; rejects when the Lease is lost or a part fails, so that the process ends and is started anew. */
export async function runOperator({ env, stop, version }: OperatorInputs): Promise<void> {
  const config = operatorConfig(env)
  const log = createLogger({ level: config.logLevel })
  const metrics = createMetrics()
  const rng = Math.random
  const connection = await loadKubeConfig({ env, readFile: (path) => readFile(path, 'utf8'), clock })
  const tracer = await loadTracer(version)
  const clientOptions = { clock, userAgent: `taskmill/${version}`, onResponse: metrics.apiRequests(new URL(connection.server).host) }
  const client = createKubeClient({ ...connection, ...clientOptions })
  const elector = createElector({
    lease: leaseWithEpoch(createLease(client, config.lease)),
    identity: config.identity,
    clock,
    log,
    rng,
    hooks: metrics.election(config.lease.name),
  })
  const leaderClient = createKubeClient({ ...fenced(connection, elector), ...clientOptions })
  const leader = traced(leaderClient, tracer)
  const events = createEventRecorder({ client: leader, clock, log, component: 'taskmill.dev/operator', instance: config.identity })

  const informerDeps = { client, clock, log, rng, namespaces: config.watchNamespaces }
  const pools = createInformerOfNamespaces<WorkerPool, 'byBroker'>({
    ...informerDeps,
    resource: workerPools,
    onRelist: metrics.relists(workerPools.plural),
    indexes: { byBroker: ({ metadata, spec }) => [`${metadata.namespace ?? ''}/${spec.brokerRef.name}`] },
  })
  const taskBrokerCache = createInformerOfNamespaces<TaskBroker>({
    ...informerDeps,
    resource: taskBrokers,
    onRelist: metrics.relists(taskBrokers.plural),
  })
  const poolDeployments = createInformerOfNamespaces<Deployment>({
    ...informerDeps,
    resource: deployments,
    labelSelector: labels.pool,
    onRelist: metrics.relists(deployments.plural),
  })

  const brokers = createBrokers({ connect: (endpoint) => connectBroker({ ...endpoint, log, clock }) })
  const signals = createSignals({ brokers, clock, log })
  const statusBudget = createWriteBudget({ clock, perSecond: gaugeWritesPerSecond })

  const controllerOf = (name: string, keys: () => Iterable<string>, reconcile: ControllerDeps['reconcile']): Controller => {
    const hooks = metrics.controller({ name, concurrency: reconcilesAtOnce, workingSeconds: () => controller.workingSeconds() })
    const controller: Controller = createController({
      name,
      keys,
      concurrency: reconcilesAtOnce,
      reconcile: (key, context) => tracer.span('reconcile', { controller: name, key }, async () => reconcile(key, context)),
      clock,
      log,
      rng,
      hooks,
    })
    return controller
  }
  const poolReconciler = createWorkerPoolController({
    client: leader,
    pools,
    brokers: taskBrokerCache,
    deployments: poolDeployments,
    signals,
    events,
    metrics,
    clock,
    statusBudget,
    enqueue: (key) => poolController.enqueue(key),
  })
  const poolController = controllerOf('worker-pool', () => keysOf(pools.list()), poolReconciler.reconcile)
  const brokerReconciler = createTaskBrokerController({
    client: leader,
    taskBrokers: taskBrokerCache,
    brokers,
    events,
    clock,
    statusBudget,
  })
  const brokerController = controllerOf('task-broker', () => keysOf(taskBrokerCache.list()), brokerReconciler.reconcile)

  let synced = false
  const priority = () => (synced ? 0 : startPriority)
  pools.onChange((key) => poolController.enqueue(key, { priority: priority() }))
  poolDeployments.onChange((key) => poolController.enqueue(key, { priority: priority() }))
  taskBrokerCache.onChange((key) => {
    brokerController.enqueue(key, { priority: priority() })
    for (const pool of keysOf(pools.byIndex('byBroker', key))) poolController.enqueue(pool, { priority: priority() })
  })

  const manager = createManager({
    elector,
    warm: [
      { name: 'cache of WorkerPools', ...pools },
      { name: 'cache of TaskBrokers', ...taskBrokerCache },
      { name: 'cache of Deployments', ...poolDeployments },
    ],
    // Stopped the other way round: the last Events go out when the controllers have ended, while the lease is still held.
    leading: [
      flushed(events),
      createEpochs({ brokers, clock, log, epoch: elector.epoch, outbid: elector.outbid }),
      brokerController,
      poolController,
    ],
    clock,
    log,
  })

  const ended = new AbortController()
  const liveness = createLiveness({ clock, elector })
  liveness.start(ended.signal)
  const probes = await serveProbes({ port: config.httpPort, metrics, isReady: () => synced, problems: liveness.problems })
  log.info({ version, identity: config.identity, port: probes.port }, 'operator started')
  Promise.all([pools.synced, taskBrokerCache.synced, poolDeployments.synced]).then(
    () => void (synced = true),
    (error: unknown) => log.debug({ err: error }, 'stopped before the caches were synced'),
  )
  try {
    await manager.run(stop)
  } finally {
    ended.abort()
    await Promise.allSettled([signals.stop(), probes.close()])
    await Promise.allSettled([brokers.close(), client.close(), leaderClient.close()])
    log.info({}, 'operator stopped')
  }
}

function keysOf(objects: readonly KubeObject[]): readonly string[] {
  return objects.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)
}

/** Writes what is left to say at the stop. */
function flushed(events: EventRecorder): Startable {
  const stopped = Promise.withResolvers<void>()
  return {
    name: 'Events',
    start: (signal) => signal.addEventListener('abort', () => void events.flush().then(stopped.resolve, stopped.reject), { once: true }),
    stopped: stopped.promise,
  }
}
