/**
 * One term of leadership: everything that acts, made anew when this process begins to lead and never used again, so that nothing of an old
 * term can be sent in a new one. The caches and the metrics live as long as the process.
 */
import {
  configMaps as configMapsResource,
  type KubeObject,
  namespaceOf,
  type Resource,
  secrets,
  type TaskBroker,
  taskBrokers as taskBrokersResource,
  taskExecutions,
  taskQueues,
  taskSchedules,
} from '../api/index.ts'
import { connectBroker } from '../broker/index.ts'
import type { Clock } from '../clock/index.ts'
import { doneQueue, parseOwner } from '../contract/index.ts'
import { hasCode } from '../errors/index.ts'
import {
  type ClosingNamespaces,
  createClosingNamespaces,
  createEventRecorder,
  createInformer,
  createKubeClient,
  type EventRecorder,
  type KubeClient,
  type KubeClientOptions,
  listAll,
} from '../kube/index.ts'
import type { Logger, Metrics, Tracer } from '../observability/index.ts'
import { type Elector, type ElectorDeps, type Source, type Startable } from '../runtime/index.ts'
import {
  createBrokerClock,
  createBrokerDirectory,
  createBrokers,
  createDispatchLeases,
  dispatchLeaseIn,
  type BrokerClock,
  type BrokerDirectory,
  type Brokers,
  type DispatchLeases,
} from '../services/brokers/index.ts'
import { createEngine, type Engine, type KillPointHook } from '../services/engine/index.ts'
import { createJobs, type Jobs } from '../services/jobs/index.ts'
import { countAttempt, createDelivery, createNotifier, type Notifier } from '../services/notifications/index.ts'
import { createOrphanedData, type OrphanedData, type OrphanedDataDeps, type OwnedKind } from '../services/orphaned-data/index.ts'
import { type ConfigMaps, createConfigMaps } from '../services/config-maps/index.ts'
import { createSecretCache, type SecretCache, type SecretCacheDeps } from '../services/secrets/index.ts'
import { type ConcurrencyGroups, createConcurrencyGroups } from '../services/slots/index.ts'
import { createRunCounts, createSignals, type RunCounts, type Signals } from '../services/signals/index.ts'
import { createWriteBudget, type WriteBudget } from '../services/status/index.ts'
import { createJobSchedulerWatch, type JobSchedulerWatch } from '../services/primitives/index.ts'
import { createTracking, createWhereabouts, type Tracking, type Whereabouts } from '../services/tracking/index.ts'
import { cacheOfKind, type Caches, type Deletions } from './caches.ts'
import type { OperatorConfig } from './operator-config.ts'
import type { MemoryWatch } from './memory.ts'
import { fenced, httpPost, traced, withFencedClaims } from './term-client.ts'

/** Times that no user sets; one that is missing is the product's own. */
export type OperatorTimes = {
  /** How long a Lease lasts, and until when a leader must have renewed it. */
  readonly lease?: Pick<ElectorDeps, 'leaseDurationMs' | 'renewDeadlineMs'>
  /** How long the values of a Secret are used without reading them again. */
  readonly secretRereadMs?: number
  /** From one look at the server of a TaskBroker that answers to the next. */
  readonly brokerLookMs?: number
}

/** The parts that outlive the terms. */
export type Process = {
  readonly config: OperatorConfig
  /** UID of the namespace that stands for the cluster. */
  readonly cluster: () => string
  readonly connection: KubeClientOptions
  readonly caches: Caches
  /** TaskExecutions that were deleted. */
  readonly deletedRuns: Deletions
  readonly elector: Elector
  readonly memory: Pick<MemoryWatch, 'onShort'>
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly clock: Clock
  readonly log: Logger
  readonly rng: () => number
  readonly reachPoint: KillPointHook
  readonly times: OperatorTimes
}

/** What the controllers of one term are made of. */
export type Term = Pick<Process, 'caches' | 'deletedRuns' | 'metrics' | 'tracer' | 'clock' | 'log' | 'rng' | 'reachPoint'> & {
  /** Aborts when the term ends. */
  readonly signal: AbortSignal
  /** Calls the handler, until the term ends, when memory is short: what can be read again is to be dropped. */
  onMemoryShort(handler: () => void): void
  /** Sends only while the term lasts. */
  readonly client: KubeClient
  readonly events: EventRecorder
  readonly brokers: Brokers
  readonly directory: BrokerDirectory
  /** By their names only. */
  readonly secrets: SecretCache
  /** By their names only. */
  readonly configMaps: ConfigMaps
  readonly dispatchLeases: DispatchLeases
  readonly signals: Signals
  /** Kubernetes Jobs as what carries out nodes and slots. */
  readonly jobs: Jobs
  /** Drives everything that is recorded in a broker. */
  readonly engine: Engine
  readonly brokerClock: BrokerClock
  readonly tracking: Tracking
  readonly whereabouts: Whereabouts
  /** Whose slot of a concurrency group starts next. */
  readonly groups: ConcurrencyGroups
  readonly jobSchedulers: JobSchedulerWatch
  readonly orphanedData: OrphanedData
  /** Counts of ended runs. */
  readonly counts: RunCounts
  readonly notifier: Notifier
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of the namespace that stands for the cluster. */
  readonly cluster: string
  readonly brokerLookMs?: number
}

const gaugeWritesPerSecond = 10

/** The parts of a term in the order of their start; they stop the other way round. */
export function partsOfTerm(
  process: Process,
  signal: AbortSignal,
  createControllers: (term: Term) => readonly Startable[],
): readonly Startable[] {
  const { caches, deletedRuns, memory, metrics, tracer, clock, log, rng, reachPoint, times } = process
  const connections = openConnections(process, signal)
  const recording = createRecording(process, connections, signal)
  const term: Term = {
    caches,
    deletedRuns,
    metrics,
    tracer,
    clock,
    log,
    rng,
    reachPoint,
    signal,
    onMemoryShort: (handler) => untilAborted(signal, { onChange: memory.onShort }, handler),
    ...connections,
    ...recording,
    notifier: createNotifications(process, connections.secrets, signal),
    statusBudget: createWriteBudget({ clock, perSecond: gaugeWritesPerSecond, closing: connections.closing }),
    ...(times.brokerLookMs === undefined ? {} : { brokerLookMs: times.brokerLookMs }),
  }
  const { events, brokers, signals, dispatchLeases, orphanedData, tracking, whereabouts, jobSchedulers, counts, notifier } = term
  return [
    atEnd('client', async () => {
      metrics.forgetObjects()
      await connections.closeClient()
    }),
    // The last Events go out when the controllers have ended, while the lease is still held.
    atEnd('Events', () => events.flush()),
    atEnd('connections to brokers', async () => {
      await signals.stop()
      await brokers.close()
    }),
    dispatchLeases,
    orphanedData,
    atEnd('tracking of runs', tracking.stop),
    atEnd('whereabouts of jobs', whereabouts.stop),
    atEnd('versions of job schedulers', jobSchedulers.stop),
    atEnd('counts of runs', counts.stop),
    ...createControllers(term),
    // Ends first, while there is a controller that records the outcomes.
    { name: 'notifications', ...notifier },
  ]
}

type Connections = Pick<
  Term,
  | 'client'
  | 'events'
  | 'brokers'
  | 'secrets'
  | 'configMaps'
  | 'directory'
  | 'dispatchLeases'
  | 'signals'
  | 'jobs'
  | 'installation'
  | 'cluster'
> & {
  readonly closing: ClosingNamespaces
  /** In whose name dispatch leases are claimed: cluster and Lease, and this process. */
  readonly claimant: { readonly holder: string; readonly by: string; readonly epoch: () => number }
  closeClient(): Promise<void>
}

/** The ways to the API server and to the brokers. */
function openConnections(process: Process, signal: AbortSignal): Connections {
  const { config, caches, elector, tracer, clock, log, rng, times } = process
  const { installation, lease, identity } = config
  const cluster = process.cluster()
  const ownClient = createKubeClient({ ...process.connection, ...fenced(process.connection, elector, signal) })
  const closing = createClosingNamespaces({ client: traced(ownClient, tracer), clock })
  const { client } = closing
  const brokers = createBrokers({ connect: (endpoint) => withFencedClaims(connectBroker({ ...endpoint, log, clock }), elector, signal) })
  const secretCache = createSecretCache({
    readSecret: readSecretBy(client),
    clock,
    log,
    ...(times.secretRereadMs === undefined ? {} : { rereadMs: times.secretRereadMs }),
  })
  const claimant = { holder: `${cluster}/${lease.namespace}/${lease.name}`, by: identity, epoch: elector.epoch }
  const jobs = createJobs({ client, cache: caches.jobs, clock, log })
  untilAborted(signal, caches.jobs, jobs.noteChange)
  return {
    client,
    closing,
    events: createEventRecorder({ client, closing, clock, log, component: 'taskmill.dev/operator', instance: identity }),
    brokers,
    secrets: secretCache,
    configMaps: createConfigMaps({
      signal,
      informerOf: (namespace, name, hooks) =>
        createInformer({
          client,
          resource: configMapsResource,
          namespace,
          fieldSelector: `metadata.name=${name}`,
          // One object is no list to stream.
          streamLists: false,
          clock,
          log,
          rng,
          ...hooks,
        }),
    }),
    directory: createBrokerDirectory({ secrets: secretCache }),
    dispatchLeases: createDispatchLeases({ brokers, clock, log, installation, cluster, ...claimant, outbid: elector.outbid }),
    signals: createSignals({ brokers, clock, log }),
    jobs,
    installation,
    cluster,
    claimant,
    closeClient: () => ownClient.close(),
  }
}

type Recording = Pick<Term, 'brokerClock' | 'engine' | 'counts' | 'whereabouts' | 'jobSchedulers' | 'groups' | 'tracking' | 'orphanedData'>

/** The kinds of objects that leave data in brokers. */
const ownerResources: Readonly<Record<OwnedKind, Resource<KubeObject>>> = {
  TaskSchedule: taskSchedules,
  TaskExecution: taskExecutions,
  TaskQueue: taskQueues,
}

/** So few objects are asked for one by one; of more, all of their kind in the namespace are listed. */
const mostAsked = 5

/** By lists: the operator may not get a single one of each kind. */
function findThereBy(client: KubeClient): OrphanedDataDeps['findThere'] {
  return async (kind, namespace, names, signal) => {
    const resource = ownerResources[kind]
    if (names.length <= mostAsked) {
      const asked = names.map((name) => client.list(resource, { namespace, fieldSelector: `metadata.name=${name}`, signal }))
      return namesIn((await Promise.all(asked)).flatMap(({ items }) => items))
    }
    return namesIn(await listAll(client, resource, { namespace, signal }))
  }
}

function namesIn(objects: readonly KubeObject[]): ReadonlySet<string> {
  return new Set(objects.map(({ metadata }) => metadata.name))
}

/** What drives, follows and removes what is recorded in brokers. */
function createRecording(process: Process, connections: Connections, signal: AbortSignal): Recording {
  const { config, caches, deletedRuns, clock, log, reachPoint } = process
  const { client, brokers, directory, dispatchLeases, signals, jobs, installation, cluster, claimant } = connections
  const { taskBrokers } = caches
  const brokerClock = createBrokerClock(clock)
  const engine = createEngine({ taskBrokers, directory, dispatchLeases, brokers, brokerClock, clock })
  const counts = createRunCounts({ brokers, installation, clock, log })
  const exists: OrphanedDataDeps['exists'] = (kind, namespace, name) => cacheOfKind(caches, kind)?.get(`${namespace}/${name}`) !== undefined
  const isNamed: OrphanedDataDeps['isNamed'] = async ({ address, keyPrefix }, namespace, until) => {
    const { items } = await client.list<TaskBroker>(taskBrokersResource, { namespace, signal: until })
    return items.some(({ spec }) => spec.standalone.address === address && spec.keyPrefix === keyPrefix)
  }
  const findThere = findThereBy(client)
  const tracking = createTracking({
    brokers,
    signals,
    clock,
    log,
    isGone(owner) {
      const { kind, namespace, name } = parseOwner(owner)
      return !exists(kind, namespace, name)
    },
    proofIn(namespace, endpoint) {
      const lease = dispatchLeaseIn({ taskBrokers, directory, dispatchLeases }, namespace, endpoint)
      return lease.kind === 'Held' ? lease.proof : undefined
    },
  })
  const orphanedData = createOrphanedData({
    taskBrokers,
    directory,
    dispatchLeases,
    brokers,
    brokerClock,
    jobs,
    clock,
    log,
    reachPoint,
    counts,
    installation,
    cluster,
    ...claimant,
    exists,
    findThere,
    isNamed,
    isWatched: (namespace) => config.watchNamespaces.length === 0 || config.watchNamespaces.includes(namespace),
    deletedRuns,
  })
  /** Where this process dispatches, it follows the ends of jobs and cleans up, whether a schedule or run exists there or not. */
  const serveBroker = (broker: string): void => {
    const place = directory.get(broker)
    if (place.kind === 'Known' && dispatchLeases.state(broker).kind === 'Active') {
      tracking.watch(broker, { endpoint: place.endpoint, doneQueue: doneQueue(installation, namespaceOf(broker)) })
      orphanedData.watchBroker(place.endpoint)
    } else tracking.watch(broker, undefined)
    // With its last TaskBroker a namespace leaves the broker.
    if (taskBrokers.get(broker) === undefined) orphanedData.lookAgain()
  }
  for (const source of [taskBrokers, directory, dispatchLeases]) untilAborted(signal, source, serveBroker)
  return {
    brokerClock,
    engine,
    counts,
    whereabouts: createWhereabouts({ brokers, clock, log }),
    groups: createConcurrencyGroups({ clock }),
    jobSchedulers: createJobSchedulerWatch({ brokers, clock, log }),
    tracking,
    orphanedData,
  }
}

/** The queues of notifications, which POST only while the term lasts. */
function createNotifications(process: Process, secretCache: SecretCache, signal: AbortSignal): Notifier {
  const { caches, elector, metrics, clock, log, rng, reachPoint } = process
  const post = httpPost(elector, signal)
  const deliver = createDelivery({ channelOf: (key) => caches.channels.get(key), secrets: secretCache, post, log })
  return createNotifier({
    async deliver(...notification) {
      reachPoint('before deliver')
      const attempt = await deliver(...notification)
      reachPoint('after deliver')
      return attempt
    },
    clock,
    rng,
    log,
    onAttempt: (channel, outcome) => countAttempt(metrics, channel, outcome),
  })
}

/** Calls the handler on each change until the term ends. */
function untilAborted<Change extends readonly unknown[]>(
  signal: AbortSignal,
  source: Source<Change>,
  handler: (...change: Change) => void,
): void {
  const end = source.onChange((...change) => (signal.aborted ? undefined : handler(...change)))
  signal.addEventListener('abort', () => end?.(), { once: true })
}

/** Something that only has to be ended. */
function atEnd(name: string, end: () => Promise<void>): Startable {
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
