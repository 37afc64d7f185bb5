import type { Broker, DispatchProof, EndedJob, EndedNode, PlacedJob, PlacedRef } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { type CountIncrement, nodeJobId, type OwnerMarker, type SubjectKind } from '../../contract/index.ts'
import { maxPayloadBytes, type TaskTemplate } from '../../api/index.ts'
import { taskmillError } from '../../errors/index.ts'
import {
  applyEntry,
  createRun,
  foldRun,
  type Graph,
  nextRunStep,
  type NodeEnd,
  notePlaced,
  noteRefused,
  noteRemoved,
  type Run,
  type RunEntry,
  type RunKnowledge,
  type RunStep,
} from '../../graph/index.ts'
import type { Logger } from '../../observability/index.ts'
import { createBrokerClock } from '../brokers/index.ts'
import { findEnds } from '../tracking/index.ts'
import type { LookedAtJobs, NodeJobs } from './node-jobs.ts'
import type { Outcomes } from '../signals/index.ts'

/** What one process remembers of a run between two visits. Losing it costs one read of its log. */
export type RunMemory = {
  /** As far as is known; undefined: not read in this term, or not since something went wrong. */
  run: Run | undefined
  /** In which that was learned. */
  epoch?: number
  /** So many entries were stored in this term, as far as is known. */
  stored?: number
  /** About what was read last. */
  verdict?: RunVerdict | undefined
}

/**
 * What a log that was read means to the object whose name it has. `Continued`: it goes on from there. `Former`: an object that is gone had
 * begun it; it is removed, with all that it began, and a new one begins. `Behind`: the broker has come back with less than is known; what
 * came back with it is removed, and nothing begins.
 */
export type RunVerdict = 'Continued' | 'Former' | 'Behind'

export type RunVisit = {
  readonly broker: Broker
  readonly proof: DispatchProof
  readonly marker: OwnerMarker
  /** `runName(installation, namespace, name)`. */
  readonly run: string
  readonly doneQueue: string
  readonly memory: RunMemory
  readonly desired: RunKnowledge['desired']
  /** What a run without a log begins with; undefined: it must not begin. */
  readonly begin?: { readonly token: string; readonly graph: Graph } | undefined
  /** Asked of each log that is read (an empty one has no `begun`); `cluster` wrote it last. Default: it is continued. */
  readonly judge?: ((run: Run, cluster: string | undefined) => RunVerdict) | undefined
  /** What has arrived for this run and is not acknowledged. */
  readonly ended: () => readonly EndedJob[]
  /** The done jobs of these ids were removed. */
  readonly onAcknowledged: (ids: readonly string[]) => void
  /** Their jobs were to be taken back, and go on: nobody will record their ends. */
  readonly onGoingOn?: ((ids: readonly string[]) => void) | undefined
  /** Undefined: no node of it is a Kubernetes Job. */
  readonly jobs?: NodeJobs | undefined
  /** They are stored. */
  readonly onEntries: (entries: readonly RunEntry[], run: Run) => void
  /** What the outcome of the run as a whole counts for. */
  readonly subjects: readonly { readonly subjectKind: SubjectKind; readonly subject: string }[]
  /** Asked before each step. */
  readonly isWanted?: () => boolean
  readonly signal: AbortSignal
}

/** As of the visits of schedules. `Lost`: the broker knows less than was known, and has nothing of it any more. */
export type RunVisitResult =
  | { readonly kind: 'Waiting'; readonly untilMs: number | undefined }
  | { readonly kind: 'Busy' | 'Deleted' | 'Lost' | 'Fenced' | 'Unwanted' }

/**
 * Carries out what `nextRunStep` asks for, one step after the other, against a broker. It decides nothing.
 *
 * Guarantees: every append is a compare-and-swap on the length that was seen, with the proof; after anything that leaves doubt (a conflict, an
 * error, a fence) the log is read again before the next step; a run at rest costs no round trip. A log that cannot be read
 * (TM_LEDGER_UNREADABLE) is never written to. One that is shorter than it was is never continued. What ends is counted in the very append that records it.
 */
export type RunDriver = {
  visit(visit: RunVisit): Promise<RunVisitResult>
  /** The broker's clock, by what it said last; this process's own before it said anything. */
  brokerNow(broker: Broker): number
}

export type RunDriverDeps = {
  readonly clock: Clock
  readonly log: Logger
  readonly outcomes?: Pick<Outcomes, 'tell'> | undefined
  /** Called before and after every append and effect, so that a test can end the process there. */
  readonly at?: (point: string) => void
}

const maxSteps = 100

export function createRunDriver({ clock, log, outcomes, at = () => undefined }: RunDriverDeps): RunDriver {
  const { now: brokerNow, set: setBrokerTime } = createBrokerClock(clock)

  async function look(visit: RunVisit): Promise<Run> {
    const { broker, memory, proof } = visit
    // Between two terms somebody else may have written, and acted.
    if (memory.run !== undefined && memory.epoch === proof.epoch) return memory.run
    if (memory.epoch !== proof.epoch) Object.assign(memory, { epoch: proof.epoch, stored: 0, verdict: undefined })
    const run = createRun()
    for (;;) {
      const { entries, length, marker, brokerTimeMs } = await broker.readRun(visit.run, run.length)
      setBrokerTime(broker, brokerTimeMs)
      const folded = foldRun(entries, run)
      if (!folded.ok) throw taskmillError('TM_LEDGER_UNREADABLE', folded.message)
      if (run.length < length && entries.length > 0) continue
      const { stored = 0, verdict } = memory
      // Once behind, always behind: what it had is gone.
      const isBehind = verdict === 'Behind' || run.length < stored
      memory.verdict = isBehind ? 'Behind' : (visit.judge?.(run, marker?.cluster) ?? 'Continued')
      memory.stored = Math.max(run.length, stored)
      return (memory.run = run)
    }
  }

  async function append(visit: RunVisit, run: Run, { what, entries }: Extract<RunStep, { kind: 'Append' }>): Promise<'Done' | 'Fenced'> {
    const { broker, memory, marker, proof } = visit
    const counts = countsOf(visit, run, entries)
    // A reply that is lost leaves open what is stored.
    memory.run = undefined
    at(`before append ${what}`)
    const answer = await broker.appendRun({
      run: visit.run,
      expectedLength: run.length,
      entries: entries.map((entry) => JSON.stringify(entry)),
      marker,
      proof,
      counts,
    })
    at(`after append ${what}`)
    setBrokerTime(broker, answer.brokerTimeMs)
    if (answer.outcome === 'Fenced') return 'Fenced'
    if (answer.outcome === 'Conflict') {
      log.debug({ run: visit.run, append: what }, 'an append to a run was refused, looking again')
      return 'Done'
    }
    for (const entry of entries) applyEntry(run, entry)
    memory.run = run
    memory.stored = run.length
    outcomes?.tell(marker.namespace, counts)
    visit.onEntries(entries, run)
    return 'Done'
  }

  const refOf = (visit: RunVisit, run: Run, node: string): PlacedRef => ({
    id: nodeJobId(visit.run, tokenOf(run), node),
    doneQueue: visit.doneQueue,
    queue: specOf(run, node)?.task?.queue ?? '',
  })

  async function place(visit: RunVisit, run: Run, { nodes }: Extract<RunStep, { kind: 'Place' }>): Promise<'Done' | 'Fenced'> {
    const jobs: PlacedJob[] = []
    const placed: string[] = []
    for (const node of nodes) {
      if (!('task' in node)) continue
      const bytes = Buffer.byteLength(JSON.stringify(node.task.payload ?? {}))
      if (bytes > maxPayloadBytes) {
        const message = `its payload has ${bytes} bytes as JSON, at most ${maxPayloadBytes} are possible. Next: store the data elsewhere and pass a reference`
        noteRefused(run, node.name, { reason: 'PayloadTooLarge', message })
        continue
      }
      jobs.push(jobOf(visit, run, node.name, node.task, brokerNow(visit.broker)))
      placed.push(node.name)
    }
    if (jobs.length > 0) {
      at('before place')
      const outcome = await visit.broker.placeJobs(jobs, brokerNow(visit.broker), visit.proof)
      at('after place')
      if (outcome === 'Fenced') return 'Fenced'
      notePlaced(run, placed)
    }
    const others = nodes.filter((node) => 'job' in node)
    if (others.length > 0) await executorOf(visit).place(run, others, brokerNow(visit.broker), visit)
    return 'Done'
  }

  async function remove(visit: RunVisit, run: Run, nodes: readonly string[]): Promise<'Done' | 'Fenced'> {
    const isJob = (node: string) => specOf(run, node)?.job !== undefined
    at('before remove')
    const answers = await Promise.all(
      nodes.map((node) =>
        isJob(node) ? executorOf(visit).remove(run, node, visit) : visit.broker.cancelPlaced(refOf(visit, run, node), visit.proof),
      ),
    )
    at('after remove')
    for (const [index, node] of nodes.entries()) {
      const answer = answers[index] ?? 'Absent'
      if (answer === 'Fenced') return 'Fenced'
      noteRemoved(run, node, answer)
    }
    visit.onGoingOn?.(nodes.filter((_, index) => answers[index] === 'Running').map((node) => nodeJobId(visit.run, tokenOf(run), node)))
    return 'Done'
  }

  async function acknowledge(visit: RunVisit, ids: readonly string[]): Promise<'Done' | 'Fenced'> {
    const { broker, doneQueue, proof } = visit
    at('before acknowledge')
    const outcome = await broker.acknowledgeEnded(
      ids.map((id) => ({ id, doneQueue })),
      proof,
    )
    at('after acknowledge')
    if (outcome === 'Done') visit.onAcknowledged(ids)
    return outcome
  }

  /** The log, and before it the ends that nobody is going to record, so that who dies in between begins again. */
  async function remaining(visit: RunVisit, run: Run): Promise<'Deleted' | 'Fenced' | 'Again'> {
    const { broker, memory, proof, doneQueue } = visit
    const { wanted } = await findEnds(broker, doneQueue, ({ owner }) => owner === visit.run)
    const ours = wanted.map(({ id }) => id)
    if (ours.length > 0) return (await acknowledge(visit, ours)) === 'Fenced' ? 'Fenced' : 'Again'
    if (run.length === 0) return 'Deleted'
    memory.run = undefined
    at('before delete')
    const { outcome, brokerTimeMs } = await broker.deleteRun(visit.run, run.length, proof)
    at('after delete')
    setBrokerTime(broker, brokerTimeMs)
    if (outcome === 'Written') memory.stored = 0
    return outcome === 'Written' ? 'Deleted' : outcome === 'Fenced' ? 'Fenced' : 'Again'
  }

  async function steps(visit: RunVisit): Promise<RunVisitResult> {
    /** Whether the broker itself said in this visit what is stored. */
    let isFresh = false
    let looked: LookedAtJobs | undefined
    for (let count = 0; count < maxSteps; count++) {
      visit.signal.throwIfAborted()
      if (visit.isWanted?.() === false) return { kind: 'Unwanted' }
      isFresh ||= visit.memory.run === undefined
      const run = await look(visit)
      const { own, strange } = endsOf(visit, run)
      const { verdict } = visit.memory
      const desired = verdict === 'Continued' ? visit.desired : 'Deleted'
      looked ??= desired === 'Deleted' ? undefined : await visit.jobs?.look(run, visit)
      const ended = [...own.map(endOf), ...(looked?.ends ?? []).filter(({ node }) => isActive(run, node))]
      const step = nextRunStep(run, { desired, begin: visit.begin, ended }, brokerNow(visit.broker))
      const left = step.kind === 'Wait' ? (visit.jobs?.left(run) ?? []) : []
      if (step.kind === 'Wait' && strange.length + left.length === 0) {
        const lookAtMs = looked?.againAfterMs === undefined ? Infinity : brokerNow(visit.broker) + looked.againAfterMs
        const untilMs = Math.min(step.untilMs ?? Infinity, lookAtMs)
        return { kind: 'Waiting', untilMs: untilMs === Infinity ? undefined : untilMs }
      }
      if (step.kind === 'Delete') {
        const answer = await remaining(visit, run)
        if (answer === 'Fenced') return fenced(visit)
        if (answer === 'Deleted' && visit.desired === 'Deleted') return { kind: 'Deleted' }
        if (answer === 'Deleted' && verdict === 'Behind') return { kind: 'Lost' }
      } else if ((step.kind === 'Acknowledge' || step.kind === 'Wait') && !isFresh) {
        // What is acknowledged is gone: a broker that came back with an older log may still have to record it.
        visit.memory.run = undefined
      } else if ((await carryOut(visit, run, step, own, strange)) === 'Fenced') {
        return fenced(visit)
      } else {
        if (step.kind === 'Append') isFresh = true
        // What has become of what was just begun, or was to be taken back.
        if (step.kind === 'Place' || step.kind === 'Remove') looked = undefined
        await visit.jobs?.tidy(run, left, visit)
      }
    }
    return { kind: 'Busy' }
  }

  function carryOut(
    visit: RunVisit,
    run: Run,
    step: Exclude<RunStep, { kind: 'Delete' }>,
    own: readonly EndedNode[],
    strange: readonly EndedJob[],
  ): Promise<'Done' | 'Fenced'> {
    switch (step.kind) {
      case 'Append':
        return append(visit, run, step)
      case 'Place':
        return place(visit, run, step)
      case 'Remove':
        return remove(visit, run, step.nodes)
      case 'Acknowledge':
        return acknowledge(
          visit,
          [...own.filter(({ node }) => step.nodes.includes(node)), ...strange].map(({ id }) => id),
        )
      case 'Wait':
        return strange.length === 0
          ? Promise.resolve('Done')
          : acknowledge(
              visit,
              strange.map(({ id }) => id),
            )
    }
  }

  return {
    brokerNow,
    async visit(visit) {
      try {
        return await steps(visit)
      } catch (error) {
        visit.memory.run = undefined
        throw error
      }
    },
  }
}

function fenced({ memory }: RunVisit): RunVisitResult {
  memory.run = undefined
  return { kind: 'Fenced' }
}

function tokenOf(run: Run): string {
  return run.begun?.token ?? ''
}

function specOf(run: Run, node: string) {
  const graph = run.state?.graph
  return graph?.nodes[graph.indexOf.get(node) ?? -1]?.spec
}

function isActive(run: Run, node: string): boolean {
  return run.active.has(run.state?.graph.indexOf.get(node) ?? -1)
}

function executorOf({ jobs, run }: RunVisit): NodeJobs {
  if (jobs === undefined) throw new TypeError(`nothing runs the Jobs of ${run}`)
  return jobs
}

function jobOf(visit: RunVisit, run: Run, node: string, task: TaskTemplate, dueAtMs: number): PlacedJob {
  const token = tokenOf(run)
  const { maxRetries, initialDelaySeconds } = task.retry
  return {
    id: nodeJobId(visit.run, token, node),
    doneQueue: visit.doneQueue,
    done: { v: 1, run: visit.run, token, node },
    queue: task.queue,
    name: task.type,
    data: task.payload ?? {},
    dueAtMs,
    attempts: maxRetries + 1,
    ...(maxRetries === 0 ? {} : { backoffMs: initialDelaySeconds * 1000 }),
    ...(task.priority === undefined ? {} : { bullPriority: 101 - task.priority }),
  }
}

/** Those of this run, and those of an object that had its name before. */
function endsOf({ ended }: RunVisit, run: Run): { readonly own: readonly EndedNode[]; readonly strange: readonly EndedJob[] } {
  const own: EndedNode[] = []
  const strange: EndedJob[] = []
  for (const end of ended()) {
    if (end.kind === 'Node' && end.token === run.begun?.token) own.push(end)
    else strange.push(end)
  }
  return { own, strange }
}

function endOf(job: EndedNode): NodeEnd {
  const { node, outcome, result, resultBytes, attemptsMade, attempts, worker, startedAtMs, finishedAtMs } = job
  const reasons = { Succeeded: 'Succeeded', Failed: 'AttemptsExhausted', Removed: 'JobRemoved' } as const
  const said = [
    outcome === 'Removed' ? 'somebody removed its job from the queue before it ended' : job.message,
    resultBytes === undefined ? undefined : `its result of ${resultBytes} bytes is not kept`,
  ].filter((each) => each !== undefined)
  return {
    node,
    outcome: outcome === 'Succeeded' ? 'Succeeded' : 'Failed',
    reason: reasons[outcome],
    ...(said.length === 0 ? {} : { message: said.join('; ') }),
    ...(result === undefined ? {} : { result }),
    ...(attemptsMade === undefined ? {} : { attemptsMade }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(worker === undefined ? {} : { worker }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
  }
}

/** Each end counts once: that of a job for its queue, that of the run for what it is a run of. */
function countsOf({ subjects }: RunVisit, run: Run, entries: readonly RunEntry[]): readonly CountIncrement[] {
  return entries.flatMap((entry): readonly CountIncrement[] => {
    if (entry.kind !== 'Ended' && entry.kind !== 'Finished') return []
    const outcome = counted[entry.outcome]
    if (outcome === undefined) return []
    if (entry.kind === 'Finished') return subjects.map((subject) => ({ ...subject, outcome }))
    // Only a node that had started has a job.
    const queue = isActive(run, entry.node) ? specOf(run, entry.node)?.task?.queue : undefined
    return queue === undefined ? [] : [{ subjectKind: 'Queue', subject: queue, outcome }]
  })
}

const counted: Readonly<Record<string, CountIncrement['outcome'] | undefined>> = {
  Succeeded: 'Succeeded',
  Failed: 'Failed',
  TimedOut: 'Failed',
}
