import { isDeepStrictEqual } from 'node:util'
import { overrideAt, overrideOrigin, taskQueues, type TaskBroker, type TaskQueue, type TaskQueueStatus } from '../../api/index.ts'
import type { BrokerEndpoint, DispatchProof, QueueAnswer, QueueApply, QueueClaim, QueueReading } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { parseOwner, queueOwner, type OwnerMarker } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, setQueueMetrics, type Logger, type Metrics } from '../../observability/index.ts'
import { soonest } from '../../runtime/index.ts'
import {
  createBrokerHold,
  isBrokerFailure,
  type BrokerDirectory,
  type BrokerHold,
  type Brokers,
  type DispatchLeases,
  dispatchLeaseAt,
} from '../../services/brokers/index.ts'
import type { Signals, Subscriber } from '../../services/signals/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { changeEvent, transitionEvents } from './events.ts'
import { ratesOf, withSample, type Samples } from './rates.ts'
import { statusOf, transitionOf } from './status.ts'
import type { Situation, Suspension } from './world.ts'

export type TaskQueueDeps = {
  readonly client: KubeClient
  readonly queues: Informer<TaskQueue>
  readonly taskBrokers: Informer<TaskBroker>
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly dispatchLeases: Pick<DispatchLeases, 'state'>
  readonly brokers: Brokers
  readonly signals: Signals
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
  /** What a deleted TaskQueue had applied could not be taken back now. */
  readonly onLeftBehind: () => void
}

/** What is remembered of a queue between two looks; all of it can be lost, at the price of a script that does nothing. */
type Memory = {
  queue: TaskQueue
  readonly hold: BrokerHold
  /** What was made to hold last, and what was said to it. */
  applied?: { readonly what: Applied; readonly answer: QueueAnswer } | undefined
  samples: Samples
  /** Nothing is old enough to be removed before (on our clock). */
  cleanAtMs: number
  shown?: QueueReading | undefined
  undecidedSinceMs?: number | undefined
}

/** The same: nothing to do. */
type Applied = {
  readonly settings: QueueApply['settings']
  readonly epoch: number
  readonly uid: string | undefined
  /** What the queue itself said when that was applied. */
  readonly paused: boolean | undefined
  readonly concurrency: number | undefined
}

type Turn = { readonly kind: 'Held'; readonly endpoint: BrokerEndpoint; readonly proof: DispatchProof }
type Context = { readonly signal: AbortSignal; readonly log: Logger }

const retryMs = { unreachable: 2_000, fenced: 1_000, undecided: 5_000, conflict: 15_000 } as const
/** So long, what people read stays while it is found out whose turn it is. */
const undecidedMs = 10_000
/** Between two portions of old jobs, and between two looks for some. */
const cleanGapMs = { more: 50, next: 10_000, retry: 30_000 } as const
const ratesEveryMs = 30_000

export function createTaskQueueController(deps: TaskQueueDeps): {
  reconcile(key: string, context: Context): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, queues, directory, brokers, signals, events, metrics, clock, installation } = deps
  const memories = new Map<string, Memory>()
  const status = createStatusWriter<TaskQueue>({
    client,
    resource: taskQueues,
    fieldManager: 'taskmill-task-queue',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'TaskQueue'),
  })

  function remember(key: string, queue: TaskQueue): Memory {
    const known = memories.get(key)
    if (known !== undefined) {
      known.queue = queue
      return known
    }
    const memory: Memory = { queue, samples: [], cleanAtMs: 0, hold: createBrokerHold(brokers, () => (memory.applied = undefined)) }
    memories.set(key, memory)
    return memory
  }

  /** What is in the queue, as far as it is known; it is read also where another cluster acts. */
  function look(key: string, memory: Memory): { readonly reading?: QueueReading; readonly failure?: string } {
    const place = directory.get(brokerKeyOf(memory.queue))
    if (place.kind !== 'Known') {
      signals.unsubscribe(subscriberOf(key))
      return {}
    }
    const { queueName } = memory.queue.spec
    signals.subscribe({ subscriber: subscriberOf(key), endpoint: place.endpoint, queues: [queueName], watch: 'Never' })
    const snapshot = signals.snapshot(subscriberOf(key)).get(queueName)
    if (snapshot === undefined) return {}
    return snapshot.ok ? { reading: snapshot.reading } : { failure: snapshot.error.message }
  }

  function claimOf(key: string, { queue }: Memory, proof: DispatchProof): QueueClaim {
    const [namespace = '', name = ''] = key.split('/')
    return { queue: queue.spec.queueName, owner: queueOwner(installation, namespace, name), proof }
  }

  /** Makes the settings hold, when they may not: another spec, another term, or the queue is not as it was. */
  async function apply(
    key: string,
    memory: Memory,
    { endpoint, proof }: Turn,
    isSuspended: boolean,
    reading: QueueReading | undefined,
  ): Promise<QueueAnswer> {
    const { queue } = memory
    const { maxConcurrency } = queue.spec
    const broker = await memory.hold.follow(endpoint)
    const settings = { suspend: isSuspended, ...(maxConcurrency === undefined ? {} : { maxConcurrency }) }
    const what: Applied = {
      settings,
      epoch: proof.epoch,
      uid: queue.metadata.uid,
      paused: reading?.paused,
      concurrency: reading?.concurrency,
    }
    const before = memory.applied
    if (before?.answer.outcome === 'Done' && isDeepStrictEqual(before.what, what)) return before.answer
    memory.applied = undefined
    const createdAtMs = Date.parse(queue.metadata.creationTimestamp ?? '') || 0
    const wanted: QueueApply = { ...claimOf(key, memory, proof), settings, createdAtMs, marker: markerOf(queue) }
    let answer = await broker.applyQueue(wanted)
    if (answer.outcome === 'Conflict' && isGone(answer.owner)) answer = await broker.applyQueue({ ...wanted, gone: answer.owner })
    memory.applied = { what, answer }
    if (answer.outcome === 'Done') for (const change of answer.changes) events.event(queue, changeEvent(change))
    return answer
  }

  /** Of this installation and watched, and not in the cache, which is complete. */
  function isGone(owner: string): boolean {
    const { kind, namespace, name } = parseOwner(owner)
    return kind === 'TaskQueue' && owner.startsWith(`${installation}/`) && queues.get(`${namespace}/${name}`) === undefined
  }

  /** Removes a portion of what has been kept long enough; when to come back. */
  async function clean(key: string, memory: Memory, { endpoint, proof }: Turn): Promise<number | undefined> {
    const { retention } = memory.queue.spec
    if (retention === undefined) return undefined
    const nowMs = clock.now()
    if (nowMs < memory.cleanAtMs) return memory.cleanAtMs - nowMs
    const broker = await memory.hold.follow(endpoint)
    const answer = await broker.cleanQueue({ ...claimOf(key, memory, proof), retention })
    if (answer.outcome !== 'Done') return cleanGapMs.retry
    const dueInMs = answer.nextAtMs - answer.brokerTimeMs
    const againAfterMs = dueInMs <= 0 ? cleanGapMs.more : Math.max(dueInMs, cleanGapMs.next)
    memory.cleanAtMs = nowMs + againAfterMs
    return againAfterMs
  }

  type Done = { readonly situation: Situation; readonly againAfterMs?: number | undefined }

  async function act(key: string, memory: Memory, suspension: Suspension, reading: QueueReading | undefined): Promise<Done> {
    const turn = dispatchLeaseAt(deps, brokerKeyOf(memory.queue))
    if (turn.kind !== 'Held') {
      memory.applied = undefined
      if (turn.kind === 'NoBroker') await memory.hold.release()
      return { situation: turn, againAfterMs: turn.kind === 'Pending' ? retryMs.undecided : undefined }
    }
    try {
      const answer = await apply(key, memory, turn, suspension.isSuspended, reading)
      switch (answer.outcome) {
        case 'Fenced':
          return { situation: { kind: 'Pending' }, againAfterMs: retryMs.fenced }
        case 'Conflict':
          return { situation: { kind: 'Conflict', owner: sayOwner(answer.owner) }, againAfterMs: retryMs.conflict }
        case 'Unreadable':
          return { situation: { kind: 'Unreadable' }, againAfterMs: retryMs.conflict }
        case 'Done':
          return {
            situation: { kind: 'Applied', paused: answer.paused, pausedByUs: answer.pausedByUs },
            againAfterMs: await clean(key, memory, turn),
          }
      }
    } catch (error) {
      if (!isBrokerFailure(error)) throw error
      memory.applied = undefined
      return { situation: { kind: 'Unreachable', message: errorMessage(error) }, againAfterMs: retryMs.unreachable }
    }
  }

  /** The object is gone: what it applied is taken back, and what cannot be now is left to the sweep. */
  async function remove(key: string, { signal, log }: Context): Promise<void> {
    const memory = memories.get(key)
    signals.unsubscribe(subscriberOf(key))
    status.forget(key)
    if (memory === undefined) return deps.onLeftBehind()
    try {
      const turn = dispatchLeaseAt(deps, brokerKeyOf(memory.queue))
      if (turn.kind === 'Held') {
        const broker = await memory.hold.follow(turn.endpoint)
        const answer = await broker.releaseQueue(claimOf(key, memory, turn.proof))
        if (answer.outcome === 'Fenced') deps.onLeftBehind()
      } else if (turn.kind !== 'Standby') deps.onLeftBehind()
    } catch (error) {
      signal.throwIfAborted()
      log.warn({ queue: key, error: errorMessage(error) }, 'a deleted TaskQueue leaves what it applied to the sweep')
      deps.onLeftBehind()
    } finally {
      memories.delete(key)
      await memory.hold.release()
    }
  }

  function markerOf({ metadata, spec }: TaskQueue): OwnerMarker {
    const { name, namespace = '' } = metadata
    return { v: 1, cluster: deps.cluster, kind: 'TaskQueue', namespace, name, deletionPolicy: 'Delete', queue: spec.queueName }
  }

  /** While it is being found out whose turn it is, people go on reading what they read before. */
  function isUndecided(memory: Memory, situation: Situation, before: TaskQueueStatus | undefined): boolean {
    if (situation.kind !== 'Pending') memory.undecidedSinceMs = undefined
    else memory.undecidedSinceMs ??= clock.monotonicNow()
    const { undecidedSinceMs } = memory
    return undecidedSinceMs !== undefined && before?.conditions !== undefined && clock.monotonicNow() - undecidedSinceMs < undecidedMs
  }

  return {
    async reconcile(key, context) {
      const queue = queues.get(key)
      if (queue === undefined || queue.metadata.deletionTimestamp !== undefined) {
        await remove(key, context)
        return {}
      }
      const memory = remember(key, queue)
      const nowMs = clock.now()
      const suspension = suspensionOf(queue, nowMs)
      const { reading, failure } = look(key, memory)
      const done = await act(key, memory, suspension, reading)
      const situation: Situation =
        failure === undefined || done.situation.kind !== 'Pending' ? done.situation : { kind: 'Unreachable', message: failure }
      if (reading !== undefined) memory.samples = withSample(memory.samples, reading)
      memory.shown = reading
      setQueueMetrics(metrics, 'TaskQueue', key, { broker: queue.spec.brokerRef.name, queues: new Map([[queue.spec.queueName, reading]]) })
      const before = status.latest(key, queue)
      if (isUndecided(memory, situation, before)) return soonest([done.againAfterMs, suspension.endsInMs])
      const rates = ratesOf(memory.samples)
      const after = statusOf({ queue, status: before, situation, suspension, reading, rates, nowMs })
      const written = await status.write(key, queue, after, context.signal)
      for (const event of transitionEvents(before, after)) events.event(queue, event)
      const isMoving = rates === undefined ? reading !== undefined : rates.arrivalsPerMinute + rates.departuresPerMinute > 0
      return soonest([done.againAfterMs, written.againAfterMs, suspension.endsInMs, isMoving ? ratesEveryMs : undefined])
    },
  }
}

function suspensionOf({ spec }: TaskQueue, nowMs: number): Suspension {
  const active = overrideAt(spec.override, nowMs)
  if (active === undefined) return { isSuspended: spec.suspend }
  const { override, endsInMs } = active
  const what = override.suspend ? 'suspended' : 'not suspended'
  return { isSuspended: override.suspend, override: `${what} ${overrideOrigin(override)}`, endsInMs }
}

function sayOwner(owner: string): string {
  const { namespace, name } = parseOwner(owner)
  return `TaskQueue "${name}" of namespace "${namespace}"`
}

function subscriberOf(key: string): Subscriber {
  return { kind: 'TaskQueue', key }
}

function brokerKeyOf({ metadata, spec }: TaskQueue): string {
  return `${metadata.namespace ?? ''}/${spec.brokerRef.name}`
}
