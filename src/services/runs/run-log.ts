/** A run's log in the broker: what is remembered of it, how it is read and appended to, and what an append counts. */
import type { Broker, DispatchProof, EndedJob, PlacedState, RunAppend } from '../../broker/index.ts'
import type { CountIncrement, OwnerMarker, SubjectKind } from '../../contract/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { applyEntry, createRun, foldRun, type Run, type RunBeginning, type RunEntry, type RunKnowledge } from '../../graph/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { BrokerClock } from '../brokers/index.ts'
import type { KillPointHook, Memory } from '../engine/index.ts'
import type { RunCounts } from '../signals/index.ts'
import { judgeLog, type LogOwner, type LogVerdict } from './log-verdict.ts'
import type { NodeJobs } from './node-jobs.ts'
import type { NodeRuns } from './node-runs.ts'
import { isActive, type RunPlace, specOf } from './node-queue-jobs.ts'

/** What one process remembers of a run between two visits. The record is the folded log, with what was learned of effects since. */
export type RunMemory = Memory<Run> & {
  /** Of this term: so many entries were stored, as far as is known, and what the log that was read last means. */
  log?: { readonly epoch: number; readonly stored: number; readonly verdict: LogVerdict } | undefined
}

/** What runs need of the process, whatever their object. */
export type RunDeps = {
  readonly brokerClock: BrokerClock
  readonly log: Logger
  /** Re-reads what a recorded end changes. */
  readonly counts?: Pick<RunCounts, 'recorded'> | undefined
  readonly reachPoint?: KillPointHook | undefined
}

/** One run, for one visit. */
export type RunVisit = RunPlace & {
  readonly broker: Broker
  readonly proof: DispatchProof
  readonly marker: OwnerMarker
  readonly memory: RunMemory
  readonly desired: RunKnowledge['desired']
  /** What a run without a log begins with; undefined: it must not begin. */
  readonly begin?: RunBeginning | undefined
  /** Whose log it has to be; undefined: any log is continued. */
  readonly owner?: LogOwner | undefined
  /** Reads the pending completions of this run. */
  readonly pendingCompletions: () => readonly EndedJob[]
  /** Where its jobs in queues were when they were looked for last, by their ids; undefined: nobody looks for them. */
  readonly whereabouts?: (() => ReadonlyMap<string, PlacedState>) | undefined
  /** Undefined: no node of it is a Kubernetes Job. */
  readonly jobs?: NodeJobs | undefined
  /** Undefined: the nodes that are runs go with their owner. */
  readonly runs?: NodeRuns | undefined
  /** What the outcome of the run as a whole counts for. */
  readonly subjects: readonly { readonly subjectKind: SubjectKind; readonly subject: string }[]
  /** Whether the object is still the one that the visit is made for. Read before each step. */
  readonly isWanted?: (() => boolean) | undefined
  readonly signal: AbortSignal
}

type RunContext = RunDeps & RunVisit

/** Reads and folds the whole log, and judges what it means to the object. */
export async function readLog(context: RunContext): Promise<Run> {
  const { broker, brokerClock, memory, owner, proof } = context
  const run = createRun()
  for (;;) {
    const { entries, length, marker } = await brokerClock.timed(broker, () => broker.readRun(context.run, run.length))
    const folded = foldRun(entries, run)
    if (!folded.ok) throw taskmillError('TM_LEDGER_UNREADABLE', folded.message)
    if (run.length < length && entries.length > 0) continue
    const before = memory.log?.epoch === proof.epoch ? memory.log : undefined
    const stored = before?.stored ?? 0
    // Once behind, always behind in this term: what the log had is gone.
    const isShorter = run.length < stored && run.archived === undefined
    const isBehind = before?.verdict === 'Behind' || isShorter
    const verdict = owner === undefined ? 'Continued' : judgeLog(run, marker?.cluster, owner)
    memory.log = {
      epoch: proof.epoch,
      stored: run.archived === undefined ? Math.max(run.length, stored) : run.length,
      verdict: isBehind ? 'Behind' : verdict,
    }
    return run
  }
}

/**
 * Appends by compare-and-swap on the length that was observed, with the proof. `Written`: the run holds the entries. `Refused`: the log has
 * become longer.
 */
export async function appendLog(
  context: RunContext,
  run: Run,
  what: string,
  entries: readonly RunEntry[],
): Promise<'Written' | 'Refused' | 'Fenced'> {
  const { broker, brokerClock, marker, proof, log, counts, reachPoint = () => undefined } = context
  const increments = countsOf(context, run, entries)
  const finished = entries.find(({ kind }) => kind === 'Finished')
  reachPoint(`before append ${what}`)
  const append: RunAppend = {
    run: context.run,
    expectedLength: run.length,
    entries: entries.map((entry) => JSON.stringify(entry)),
    // By this the log is found when it is to be archived.
    marker: finished === undefined ? marker : { ...marker, endedAtMs: finished.atMs },
    proof,
    counts: increments,
  }
  const answer = await brokerClock.timed(broker, () => broker.appendRun(append))
  reachPoint(`after append ${what}`)
  if (answer.outcome === 'Fenced') return 'Fenced'
  if (answer.outcome === 'Conflict') {
    log.debug({ run: context.run, append: what }, 'an append to a run was refused, reading again')
    return 'Refused'
  }
  for (const entry of entries) applyEntry(run, entry)
  noteStored(context, run.length)
  counts?.recorded(marker.namespace, increments)
  return 'Written'
}

/** So many entries are stored in this term: a log that is shorter later has lost some. */
export function noteStored({ memory, proof }: RunContext, stored: number): void {
  memory.log = { epoch: proof.epoch, stored, verdict: memory.log?.verdict ?? 'Continued' }
}

/** Each end counts once: that of a job for its queue, that of the run for what it is a run of. */
function countsOf({ subjects }: RunVisit, run: Run, entries: readonly RunEntry[]): readonly CountIncrement[] {
  return entries.flatMap((entry): readonly CountIncrement[] => {
    if (entry.kind !== 'Ended' && entry.kind !== 'Finished') return []
    const outcome = countedAs[entry.outcome]
    if (outcome === undefined) return []
    if (entry.kind === 'Finished') return subjects.map((subject) => ({ ...subject, outcome }))
    // Only a node that had started has a job.
    const queue = isActive(run, entry.node) ? specOf(run, entry.node)?.task?.queue : undefined
    return queue === undefined ? [] : [{ subjectKind: 'Queue', subject: queue, outcome }]
  })
}

const countedAs: Readonly<Record<string, CountIncrement['outcome'] | undefined>> = {
  Succeeded: 'Succeeded',
  Failed: 'Failed',
  TimedOut: 'Failed',
}
