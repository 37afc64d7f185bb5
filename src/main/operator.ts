/** Composes the operator: the only place where its parts meet the environment, the clock, chance and the network. */
import { readFile as readBytes } from 'node:fs/promises'
import { systemClock as clock } from '../clock/index.ts'
import { createKubeClient, createLease, loadKubeConfig } from '../kube/index.ts'
import { createLogger, createMetrics, loadTracer } from '../observability/index.ts'
import { createElector, createLiveness, createManager } from '../runtime/index.ts'
import { createCaches, partsOf, rememberDeletions, tieMetrics } from './caches.ts'
import { createClusterId } from './cluster-id.ts'
import { createControllers } from './controllers.ts'
import { leaseWithEpoch } from './lease-with-epoch.ts'
import { createMemoryWatch, processMemory } from './memory.ts'
import { operatorConfig } from './operator-config.ts'
import { serveProbes } from './probes.ts'
import { type OperatorTimes, partsOfTerm } from './term.ts'
import type { KillPointHook } from '../services/engine/index.ts'

export type OperatorInputs = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts on SIGTERM or SIGINT. */
  readonly stop: AbortSignal
  readonly version: string
  readonly reachPoint?: KillPointHook
  /** Reads the files by which the operator finds the API server; default: from the disk. */
  readonly readFile?: (path: string) => Promise<string>
  /** What a test shortens, so as not to wait, or stretches, so that a busy machine changes nothing. */
  readonly times?: OperatorTimes
}

const readText = (path: string): Promise<string> => readBytes(path, 'utf8')

/**
 * Runs until stopped. Losing the Lease ends a term and not the process, which then follows again; it rejects when a part fails, or does not
 * end in time, so that the process ends and is started anew.
 */
export async function runOperator(inputs: OperatorInputs): Promise<void> {
  const { env, stop, version, reachPoint = () => {}, readFile = readText, times = {} } = inputs
  const config = operatorConfig(env)
  const log = createLogger({ level: config.logLevel })
  const metrics = createMetrics({ now: clock.now, detail: config.metricsDetail })
  metrics.set('taskmill_build_info', { version }, 1)
  const rng = Math.random
  const loaded = await loadKubeConfig({ env, readFile, clock })
  const tracer = await loadTracer(version)
  const connection = { ...loaded, clock, userAgent: `taskmill/${version}`, onResponse: metrics.apiRequests(new URL(loaded.server).host) }
  const client = createKubeClient(connection)
  const elector = createElector({
    lease: leaseWithEpoch(createLease(client, config.lease)),
    identity: config.identity,
    clock,
    log,
    rng,
    hooks: metrics.election(config.lease.name),
    ...times.lease,
  })
  const caches = createCaches({ client, clock, log, rng, namespaces: config.watchNamespaces, metrics })
  const deletedRuns = rememberDeletions(caches.executions)
  const cacheParts = partsOf(caches)
  tieMetrics(metrics, caches)
  const clusterId = createClusterId({
    client,
    namespace: config.watchNamespaces.length === 0 ? 'kube-system' : config.lease.namespace,
    clock,
    log,
  })
  const memory = createMemoryWatch({ memory: processMemory(), metrics, clock, log })
  const process = {
    config,
    cluster: clusterId.get,
    connection,
    caches,
    deletedRuns,
    elector,
    memory,
    metrics,
    tracer,
    clock,
    log,
    rng,
    reachPoint,
    times,
  }
  const manager = createManager({
    elector,
    warm: [clusterId, ...cacheParts],
    leading: (term) => partsOfTerm(process, term, createControllers),
    clock,
    log,
  })

  let synced = false
  Promise.all(cacheParts.map((part) => part.synced)).then(
    () => void (synced = true),
    (error: unknown) => log.debug({ err: error }, 'stopped before the caches were synced'),
  )
  const ended = new AbortController()
  const liveness = createLiveness({ clock, elector })
  liveness.start(ended.signal)
  memory.start(ended.signal)
  // Followers are ready too: their caches are warm.
  const unready = () => (synced ? [] : ['caches are not synced'])
  const probes = await serveProbes({ port: config.httpPort, metrics, unready, problems: liveness.problems })
  log.info({ version, identity: config.identity, port: probes.port }, 'operator started')
  try {
    await manager.run(stop)
  } finally {
    ended.abort()
    await Promise.allSettled([probes.close(), client.close()])
    log.info({}, 'operator stopped')
  }
}
