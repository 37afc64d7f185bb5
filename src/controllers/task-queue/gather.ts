import { overrideAt, overrideOrigin, type TaskQueue, type TaskQueueStatus } from '../../api/index.ts'
import type { QueueReading } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import type { Logger, Metrics } from '../../observability/index.ts'
import type { BrokerClock, BrokerDirectory } from '../../services/brokers/index.ts'
import type { Engine, ObjectMemory, Situation } from '../../services/engine/index.ts'
import type { OrphanedData } from '../../services/orphaned-data/index.ts'
import type { SettingsConflict, SettingsRecord } from '../../services/queue-settings/index.ts'
import type { Signals, Subscriber } from '../../services/signals/index.ts'
import type { WriteBudget } from '../../services/status/index.ts'
import { type Rates, type Samples, withSample } from './rates.ts'

export type TaskQueueDeps = {
  readonly client: KubeClient
  readonly queues: Pick<Informer<TaskQueue>, 'get'>
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly engine: Engine
  readonly brokerClock: BrokerClock
  readonly signals: Signals
  readonly orphanedData: Pick<OrphanedData, 'lookAgain'>
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
}

export type Context = { readonly signal: AbortSignal; readonly log: Logger }

/** What can be done about a queue now, and what was: what prevents it, or `Applied`. */
export type QueueSituation =
  Situation | SettingsConflict | { readonly kind: 'Applied'; readonly paused: boolean; readonly pausedByUs: boolean }

export type Suspension = {
  readonly isSuspended: boolean
  /** `suspended until 2026-11-29T04:00:00Z by oncall`; undefined: no override has an effect. */
  readonly override?: string
  readonly endsInMs?: number
}

/** What is remembered of a queue between two looks; all of it can be lost, at the price of a script that does nothing. */
export type Memory = ObjectMemory<SettingsRecord> & {
  /** The object as it was last seen: when it is deleted, this says where its settings are. */
  queue: TaskQueue
  samples: Samples
}

/** Everything that is decided on. */
export type Gathered = {
  readonly queue: TaskQueue
  /** The status that was written last. */
  readonly status: TaskQueueStatus | undefined
  readonly suspension: Suspension
  /** Undefined: the queue was not read yet, or cannot be. */
  readonly reading: QueueReading | undefined
  /** Why the queue cannot be read. */
  readonly failure: string | undefined
  /** On this process's clock. */
  readonly nowMs: number
}

/** Everything that the status of one TaskQueue says. */
export type World = Omit<Gathered, 'failure'> & { readonly situation: QueueSituation; readonly rates: Rates | undefined }

export function remember(memories: Map<string, Memory>, engine: Engine, key: string, queue: TaskQueue): Memory {
  const known = memories.get(key)
  if (known !== undefined) return Object.assign(known, { queue })
  const memory: Memory = Object.assign(engine.remember<SettingsRecord>(), { queue, samples: [] })
  memories.set(key, memory)
  return memory
}

/** Reads the caches and the newest reading of the queue, which is made also where another cluster acts. */
export function gather(deps: TaskQueueDeps, key: string, memory: Memory, status: TaskQueueStatus | undefined): Gathered {
  const { queue } = memory
  const nowMs = deps.clock.now()
  const { reading, failure } = readQueue(deps, key, queue)
  if (reading !== undefined) memory.samples = withSample(memory.samples, reading)
  return { queue, status, suspension: suspensionOf(queue, nowMs), reading, failure, nowMs }
}

function readQueue({ directory, signals }: TaskQueueDeps, key: string, queue: TaskQueue): Partial<Pick<Gathered, 'reading' | 'failure'>> {
  const place = directory.get(brokerKeyOf(queue))
  if (place.kind !== 'Known') {
    signals.unsubscribe(subscriberOf(key))
    return {}
  }
  const { queueName } = queue.spec
  signals.subscribe({ subscriber: subscriberOf(key), endpoint: place.endpoint, queues: [queueName], watch: 'Never' })
  const snapshot = signals.snapshot(subscriberOf(key)).get(queueName)
  if (snapshot === undefined) return {}
  return snapshot.ok ? { reading: snapshot.reading } : { failure: snapshot.error.message }
}

function suspensionOf({ spec }: TaskQueue, nowMs: number): Suspension {
  const active = overrideAt(spec.override, nowMs)
  if (active === undefined) return { isSuspended: spec.suspend }
  const { override, endsInMs } = active
  const what = override.suspend ? 'suspended' : 'not suspended'
  return { isSuspended: override.suspend, override: `${what} ${overrideOrigin(override)}`, endsInMs }
}

/** Names who reads the queue. */
export function subscriberOf(key: string): Subscriber {
  return { kind: 'TaskQueue', key }
}

/** `namespace/name` of its TaskBroker. */
export function brokerKeyOf({ metadata, spec }: TaskQueue): string {
  return `${metadata.namespace ?? ''}/${spec.brokerRef.name}`
}
