import type { Broker, BrokerEndpoint, DispatchClaim, DispatchProof } from '../../broker/index.ts'
import type { Clock, TimerHandle } from '../../clock/index.ts'
import { dispatcherName, doneQueue, type OwnerMarker, slotJobId } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { generationOf, parseLedger, parseTiming, type SchedulePlan, type Timing } from '../../scheduling/index.ts'
import { type Brokers, fingerprintOf } from '../brokers/index.ts'
import { goneWithSchedule } from './gone-with-schedule.ts'
import { findEnds } from '../tracking/index.ts'
import { createQueueSlots } from './queue-slots.ts'
import { createNodeJobs } from './node-jobs.ts'
import type { Jobs } from '../jobs/index.ts'
import type { RunDriver, RunMemory } from './run-driver.ts'
import { emptyLedgerMemory, type SlotDriver } from './slot-driver.ts'

/**
 * Removes from brokers what schedules and runs left that are gone: those deleted while no operator looked, and those whose namespace went as a
 * whole.
 *
 * Guarantees: only what this cluster wrote last, in namespaces that are watched, is touched, only with the dispatch lease there, and not
 * what is to stay (`Orphan`). One that comes back meanwhile keeps its ledger or log. A broker costs one pass when a leader first meets it, and
 * one an hour.
 */
export type Sweep = {
  readonly name: string
  /** Until the signal aborts. Once. */
  start(signal: AbortSignal): void
  readonly stopped: Promise<void>
  /** A broker through which this process may dispatch; the first time in a term it is swept. */
  visit(endpoint: BrokerEndpoint): void
  /** Something was left behind: sweeps the brokers that are known once more. */
  again(): void
}

export type SweepDeps = {
  readonly brokers: Brokers
  readonly driver: SlotDriver
  readonly runDriver: RunDriver
  readonly jobs: Jobs
  readonly clock: Clock
  readonly log: Logger
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
  /** Who claims: as for the dispatch leases. */
  readonly holder: string
  readonly by: string
  readonly epoch: () => number
  /** Whether the cache, which is complete, has the object. */
  readonly exists: (kind: OwnerMarker['kind'], namespace: string, name: string) => boolean
  readonly isWatched: (namespace: string) => boolean
  /** An object is gone and has left something, which is removed from now on: one that comes under its name is another one. */
  readonly onRemains: (marker: OwnerMarker) => void
  /**
   * The dispatch lease of a namespace. `Ours` with its proof; `None`: no TaskBroker of that namespace asks for it, so that
   * it may be claimed for a moment; `Pending`: soon; `Elsewhere`: it is left to whoever dispatches there.
   */
  readonly leaseIn: (
    namespace: string,
    endpoint: BrokerEndpoint,
  ) => { readonly kind: 'Ours'; readonly proof: DispatchProof } | { readonly kind: 'None' | 'Pending' | 'Elsewhere' }
  /** Default an hour. */
  readonly everyMs?: number
}

/** After something was left behind; and after a pass that failed. */
const soonMs = 1_000
const retryMs = 15_000
const patienceMs = 30_000

export function createSweep(deps: SweepDeps): Sweep {
  const { brokers, driver, runDriver, clock, log, installation, everyMs = 3_600_000 } = deps
  const known = new Map<string, BrokerEndpoint>()
  const due = new Set<string>()
  /** Jobs that go on although their schedule or run is gone, by broker and done queue: somebody has to take away the news of their end. */
  const goingOn = new Map<string, Map<string, Set<string>>>()
  /** Something was added to `due` while a pass ran. */
  let isNew = false
  const stopped = Promise.withResolvers<void>()
  let signal: AbortSignal | undefined
  let running: Promise<void> | undefined
  let timer: TimerHandle | undefined

  const isStopping = () => signal?.aborted !== false

  const wake = (afterMs: number) => {
    if (isStopping()) return
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = clock.setTimeout(() => {
      timer = undefined
      running ??= pass().finally(() => (running = undefined))
    }, afterMs)
  }

  async function pass(): Promise<void> {
    isNew = false
    for (const id of [...due]) {
      const endpoint = known.get(id)
      due.delete(id)
      if (endpoint === undefined || isStopping()) continue
      try {
        if (!(await sweepBroker(endpoint))) due.add(id)
      } catch (error) {
        due.add(id)
        log.debug({ address: endpoint.address, error: errorMessage(error) }, 'cannot sweep a broker, trying again')
      }
    }
    if (due.size > 0) return wake(isNew ? soonMs : retryMs)
    for (const id of known.keys()) due.add(id)
    wake(everyMs)
  }

  /** Returns whether nothing is left to do. */
  async function sweepBroker(endpoint: BrokerEndpoint): Promise<boolean> {
    const lease = brokers.acquire(endpoint)
    try {
      let isComplete = true
      let cursor = '0'
      do {
        const page = await lease.broker.listOwners(installation, cursor)
        for (const [owner, marker] of page.owners) {
          if (isRemains(marker)) isComplete = (await removeRemains(lease.broker, endpoint, owner, marker)) && isComplete
        }
        cursor = page.cursor
      } while (cursor !== '0' && !isStopping())
      return (await removeEnds(lease.broker, fingerprintOf(endpoint))) && isComplete
    } finally {
      await lease.release()
    }
  }

  function isRemains({ cluster, kind, namespace, name, deletionPolicy }: OwnerMarker): boolean {
    const isOurs = cluster === deps.cluster && deletionPolicy === 'Delete'
    return isOurs && deps.isWatched(namespace) && !deps.exists(kind, namespace, name)
  }

  async function removeRemains(broker: Broker, endpoint: BrokerEndpoint, owner: string, marker: OwnerMarker): Promise<boolean> {
    deps.onRemains(marker)
    const turn = deps.leaseIn(marker.namespace, endpoint)
    const remove = { TaskSchedule: removeLedger, TaskExecution: removeRun, TaskQueue: removeSettings }[marker.kind]
    if (turn.kind === 'Ours') return remove(broker, endpoint, owner, marker, turn.proof)
    if (turn.kind !== 'None') return turn.kind === 'Elsewhere'
    const proof = { dispatcher: dispatcherName(installation, marker.namespace), epoch: deps.epoch(), holder: deps.holder }
    const claim: DispatchClaim = { ...proof, by: deps.by, patienceMs }
    const [answer] = await broker.claimDispatch([claim])
    if (answer?.kind !== 'Held') return answer?.kind === 'HeldByOther'
    try {
      return await remove(broker, endpoint, owner, marker, proof)
    } finally {
      // Unless somebody has created a TaskBroker there meanwhile, whose turn it is now.
      if (deps.leaseIn(marker.namespace, endpoint).kind === 'None') await broker.releaseDispatch(proof)
    }
  }

  async function removeLedger(
    broker: Broker,
    endpoint: BrokerEndpoint,
    ledger: string,
    marker: OwnerMarker,
    proof: DispatchProof,
  ): Promise<boolean> {
    const queue = doneQueue(installation, marker.namespace)
    const { stored, brokerTimeMs } = await broker.readLedgers([ledger])
    const plan = deletionPlan(stored[0]?.document, proof.epoch, brokerTimeMs)
    const visit = () =>
      driver.visit({
        broker,
        proof,
        marker,
        ledger,
        plan,
        memory,
        executors: [
          createQueueSlots({
            broker,
            proof,
            ledger,
            doneQueue: queue,
            jobOf() {
              throw new TypeError('a sweep places nothing')
            },
            ended: () => [],
            onAcknowledged(ids) {
              for (const id of ids) acknowledged.add(id)
            },
            now: () => driver.brokerNow(broker),
          }),
          goneWithSchedule,
        ],
        onChanges: () => undefined,
        isWanted: () => !deps.exists(marker.kind, marker.namespace, marker.name),
        signal: signal ?? AbortSignal.abort(),
      })
    const memory = emptyLedgerMemory()
    /** Had ended already, and their ends are gone with the ledger. */
    const acknowledged = new Set<string>()
    let result = await visit()
    while (result.kind === 'Busy') result = await visit()
    if (result.kind === 'Deleted') {
      const started = [...memory.removed].filter(([, answer]) => answer === 'Started').map(([slot]) => slotJobId(ledger, slot))
      const jobs = started.filter((id) => !acknowledged.has(id))
      expectEnds(fingerprintOf(endpoint), queue, jobs)
      log.info({ ledger, goingOn: jobs.length }, 'removed what a schedule that is gone had left in the broker')
    }
    return result.kind !== 'Fenced'
  }

  /** What was applied to a queue is taken back. */
  async function removeSettings(
    broker: Broker,
    _endpoint: BrokerEndpoint,
    owner: string,
    { queue }: OwnerMarker,
    proof: DispatchProof,
  ): Promise<boolean> {
    if (queue === undefined) return true
    const { outcome } = await broker.releaseQueue({ queue, owner, proof })
    log.info({ owner, queue, outcome }, 'took back what a TaskQueue that is gone had applied')
    return outcome !== 'Fenced'
  }

  async function removeRun(
    broker: Broker,
    endpoint: BrokerEndpoint,
    run: string,
    marker: OwnerMarker,
    proof: DispatchProof,
  ): Promise<boolean> {
    const queue = doneQueue(installation, marker.namespace)
    const memory: RunMemory = { run: undefined }
    const goingOnJobs = new Set<string>()
    const visit = () =>
      runDriver.visit({
        broker,
        proof,
        marker,
        run,
        doneQueue: queue,
        memory,
        desired: 'Deleted',
        ended: () => [],
        jobs: createNodeJobs({ jobs: deps.jobs, run, namespace: marker.namespace, execution: marker.name }),
        onAcknowledged(ids) {
          for (const id of ids) goingOnJobs.delete(id)
        },
        onGoingOn(ids) {
          for (const id of ids) goingOnJobs.add(id)
        },
        onEntries: () => undefined,
        subjects: [],
        isWanted: () => !deps.exists(marker.kind, marker.namespace, marker.name),
        signal: signal ?? AbortSignal.abort(),
      })
    let result = await visit()
    while (result.kind === 'Busy') result = await visit()
    if (result.kind === 'Deleted') {
      expectEnds(fingerprintOf(endpoint), queue, [...goingOnJobs])
      log.info({ run, goingOn: goingOnJobs.size }, 'removed what a run that is gone had left in the broker')
    }
    return result.kind !== 'Fenced'
  }

  function expectEnds(id: string, queue: string, jobs: readonly string[]): void {
    if (jobs.length === 0) return
    const queues = goingOn.get(id) ?? new Map<string, Set<string>>()
    goingOn.set(id, queues.set(queue, new Set([...(queues.get(queue) ?? []), ...jobs])))
  }

  /** Returns whether all have come. No ledger waits for them, so that no proof is needed. */
  async function removeEnds(broker: Broker, id: string): Promise<boolean> {
    const queues = goingOn.get(id) ?? new Map<string, Set<string>>()
    const found = await Promise.all([...queues].map(([queue, jobs]) => findEnds(broker, queue, ({ id: job }) => jobs.has(job))))
    const come = found.flatMap(({ wanted }) => wanted)
    if (come.length > 0) await broker.acknowledgeEnded(come)
    for (const job of come) queues.get(job.doneQueue)?.delete(job.id)
    for (const [queue, jobs] of queues) if (jobs.size === 0) queues.delete(queue)
    return queues.size === 0
  }

  return {
    name: 'sweep',
    start(until) {
      signal = until
      const end = () => {
        if (timer !== undefined) clock.clearTimeout(timer)
        Promise.resolve(running).then(() => stopped.resolve(), stopped.reject)
      }
      until.addEventListener('abort', end, { once: true })
      wake(0)
    },
    stopped: stopped.promise,
    visit(endpoint) {
      const id = fingerprintOf(endpoint)
      if (known.has(id)) return
      // Other credentials for the same place.
      for (const [other, { address, keyPrefix }] of known) {
        if (address === endpoint.address && keyPrefix === endpoint.keyPrefix) known.delete(other)
      }
      known.set(id, endpoint)
      due.add(id)
      isNew = true
      if (running === undefined) wake(0)
    },
    again() {
      for (const id of known.keys()) due.add(id)
      isNew = true
      if (running === undefined) wake(soonMs)
    },
  }
}

/** Enough of a plan to end a ledger by; of the schedule itself nothing is known any more. */
function deletionPlan(document: string | undefined, epoch: number, nowMs: number): SchedulePlan {
  const timing: Timing = timingOf(document) ?? { everySeconds: 3600 }
  const parsed = parseTiming(timing)
  return {
    timing,
    slots: parsed.ok ? parsed.slots : { next: () => undefined, between: () => [] },
    suspended: true,
    concurrencyPolicy: 'Allow',
    missedRuns: 'Skip',
    missedRunsLimit: 1,
    generation: generationOf('', ''),
    epoch,
    createdAtMs: nowMs,
    deletion: 'Delete',
  }
}

function timingOf(document: string | undefined): Timing | undefined {
  const parsed = document === undefined ? undefined : parseLedger(document)
  return parsed?.ok === true ? parsed.ledger.timing : undefined
}
