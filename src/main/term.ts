/**
 * One term of leadership: everything that acts, made anew when this process begins to lead and never used again, so that nothing of an old
 * term can be sent in a new one. What only knows (the caches) or measures lives as long as the process.
 */
import { secrets, type KubeObject } from '../api/index.ts'
import { connectBroker } from '../broker/index.ts'
import type { Clock } from '../clock/index.ts'
import { hasCode } from '../errors/index.ts'
import {
  type ChangeHandler,
  createEventRecorder,
  createKubeClient,
  type EventRecorder,
  type Informer,
  type KubeClient,
  type KubeClientOptions,
} from '../kube/index.ts'
import type { Logger, Metrics, Tracer } from '../observability/index.ts'
import { createController, type Controller, type ControllerDeps, type Elector, type Startable } from '../runtime/index.ts'
import {
  createBrokerDirectory,
  createBrokers,
  createDispatchLeases,
  type BrokerDirectory,
  type Brokers,
  type DispatchLeases,
} from '../services/brokers/index.ts'
import { createJobs, type Jobs } from '../services/jobs/index.ts'
import type { HttpPost } from '../services/notifications/index.ts'
import { createSecretCache, type SecretCache, type SecretCacheDeps } from '../services/secrets/index.ts'
import { createOutcomes, createSignals, type Outcomes, type Signals } from '../services/signals/index.ts'
import { createWriteBudget, type WriteBudget } from '../services/status/index.ts'
import type { Caches } from './caches.ts'
import type { Departures } from './departures.ts'
import { fenced } from './fence.ts'
import { httpPost } from './http-post.ts'
import type { OperatorConfig } from './operator-config.ts'
import { traced } from './traced-client.ts'

/** What outlives the terms. */
export type Process = {
  readonly config: OperatorConfig
  /** UID of the namespace that stands for the cluster. */
  readonly cluster: () => string
  readonly connection: KubeClientOptions
  readonly caches: Caches
  /** TaskExecutions that went. */
  readonly departures: Departures
  readonly elector: Elector
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly clock: Clock
  readonly log: Logger
  readonly rng: () => number
  /** Called at each point where a test may want to end the process. */
  readonly at: (point: string) => void
}

/** What the controllers of one term are made of. */
export type Term = Pick<Process, 'caches' | 'departures' | 'metrics' | 'clock' | 'log' | 'rng' | 'at'> & {
  /** Sends only while the term lasts. */
  readonly client: KubeClient
  readonly events: EventRecorder
  readonly brokers: Brokers
  readonly directory: BrokerDirectory
  /** By their names only. */
  readonly secrets: SecretCache
  /** For notifications; sends only while the term lasts. */
  readonly post: HttpPost
  readonly dispatchLeases: DispatchLeases
  readonly signals: Signals
  /** Kubernetes Jobs as what carries out nodes and slots. */
  readonly jobs: Jobs
  /** Who is told at once of what was counted. */
  readonly outcomes: Outcomes
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of the namespace that stands for the cluster. */
  readonly cluster: string
  /** In whose name dispatch leases are claimed: cluster and Lease, and this process. */
  readonly holder: string
  readonly by: string
  readonly epoch: () => number
  readonly isWatched: (namespace: string) => boolean
  /** A controller with its metrics and spans. `keys`: all there are; they are enqueued at the start of the term and every hour. */
  controllerOf(name: string, keys: () => Iterable<string>, reconcile: ControllerDeps['reconcile']): Controller
  /** Calls back on changes until the term is over. */
  follow<T extends KubeObject>(cache: Pick<Informer<T>, 'onChange'>, handler: ChangeHandler<T>): void
}

/** What a term begins with waits behind what people change. */
const startPriority = -100
const reconcilesAtOnce = 16
const gaugeWritesPerSecond = 10

/** The parts of a term in the order of their start; they stop the other way round. */
export function partsOfTerm(
  process: Process,
  signal: AbortSignal,
  controllersOf: (term: Term) => readonly Startable[],
): readonly Startable[] {
  const { config, caches, departures, elector, metrics, tracer, clock, log, rng, at } = process
  const { installation, lease, identity } = config
  const cluster = process.cluster()
  const ownClient = createKubeClient({ ...process.connection, ...fenced(process.connection, elector, signal) })
  const client = traced(ownClient, tracer)
  const events = createEventRecorder({ client, clock, log, component: 'taskmill.dev/operator', instance: identity })
  const brokers = createBrokers({ connect: (endpoint) => connectBroker({ ...endpoint, log, clock }) })
  const signals = createSignals({ brokers, clock, log })
  const secretCache = createSecretCache({ readSecret: readSecretBy(client), clock, log })
  const claimant = { holder: `${cluster}/${lease.namespace}/${lease.name}`, by: identity, epoch: elector.epoch }
  const dispatchLeases = createDispatchLeases({ brokers, clock, log, installation, ...claimant, outbid: elector.outbid })
  const follow: Term['follow'] = (cache, handler) => {
    const end = cache.onChange((...change) => (signal.aborted ? undefined : handler(...change)))
    signal.addEventListener('abort', end, { once: true })
  }
  const jobs = createJobs({ client, cache: caches.jobs, clock, log })
  follow(caches.jobs, jobs.seen)
  const controllers = controllersOf({
    caches,
    departures,
    metrics,
    clock,
    log,
    rng,
    at,
    client,
    events,
    brokers,
    directory: createBrokerDirectory({ secrets: secretCache }),
    secrets: secretCache,
    post: httpPost(elector, signal),
    dispatchLeases,
    signals,
    jobs,
    outcomes: createOutcomes({ log }),
    statusBudget: createWriteBudget({ clock, perSecond: gaugeWritesPerSecond }),
    installation,
    cluster,
    ...claimant,
    isWatched: (namespace) => config.watchNamespaces.length === 0 || config.watchNamespaces.includes(namespace),
    controllerOf(name, keys, reconcile) {
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
      for (const key of keys()) controller.enqueue(key, { priority: startPriority })
      return controller
    },
    follow,
  })
  return [
    atEnd('client', async () => {
      metrics.forgetObjects()
      await ownClient.close()
    }),
    // The last Events go out when the controllers have ended, while the lease is still held.
    atEnd('Events', () => events.flush()),
    atEnd('connections to brokers', async () => {
      await signals.stop()
      await brokers.close()
    }),
    dispatchLeases,
    ...controllers,
  ]
}

/** Something that only has to be ended. */
export function atEnd(name: string, end: () => Promise<void>): Startable {
  const stopped = Promise.withResolvers<void>()
  return {
    name,
    start: (signal) => signal.addEventListener('abort', () => void end().then(stopped.resolve, stopped.reject), { once: true }),
    stopped: stopped.promise,
  }
}

function readSecretBy(client: KubeClient): SecretCacheDeps['readSecret'] {
  return async (namespace, name, signal) => {
    try {
      const { data = {} } = await client.get(secrets, namespace, name, { signal })
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]))
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return undefined
      throw error
    }
  }
}
