import { createRedisBackend, Worker, type Job, type WorkerOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import { queueKeys } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import { describeInexact, findInexactNumbers, parseJson } from '../../json/index.ts'
import type { Logger } from '../../observability/index.ts'
import { isPassing } from '../broker-error.ts'
import type { FetchOutcome } from '../fetch-plan.ts'
import { callScript, scriptsBeside } from '../script.ts'

const loadScript = scriptsBeside(import.meta.url)
const peekScript = loadScript('peek')
const findClaimsScript = loadScript('find-claims')
const renewLocksScript = loadScript('renew-locks')
const keepPausedScript = loadScript('keep-paused')

/** Below 2 ms older servers round to 0, which means for ever. */
const shortestWaitSeconds = 0.002

/** A job of BullMQ that this process has taken. */
export type TakenJob = Job

export type QueueSourceOptions = {
  readonly queue: string
  readonly keyPrefix: string
  /** Shared by all sources of a consumer, and not theirs to close. */
  readonly redis: Redis
  readonly name: string
  readonly lockDurationMs: number
  readonly stalledIntervalMs: number
  readonly maxStalledCount: number
  readonly log: Logger
}

/** A fetch: what it found out about the queue, and the job if there was one. */
export type Fetched = FetchOutcome & { readonly job?: TakenJob }

type RawFetch = readonly [data: unknown, id: string | undefined, limitedMs: number | undefined, nextDueMs: number | undefined]

/**
 * The end of a run. Its outcome is `Stored`; or `Dropped`: the job is not ours any more; or `Abandoned`: the broker stayed away. `followed` is
 * the fetch that came with the reply, if one did.
 */
export type Settled = { readonly outcome: 'Stored' | 'Dropped' | 'Abandoned'; readonly followed?: Fetched }

const nothing: Fetched = { gotJob: false, limitedMs: 0, nextDueMs: 0 }

/**
 * BullMQ's worker of one queue, reduced to its single steps: its own loop, timers and locks never run. It is a subclass for one method only,
 * which turns raw job data into a job and, for a job of a job scheduler, adds the scheduler's next one.
 */
export class QueueSource extends Worker<unknown, unknown> {
  readonly #redis: Redis
  readonly #markerKey: string
  readonly base: string

  constructor({ queue, keyPrefix, redis, name, lockDurationMs, stalledIntervalMs, maxStalledCount, log }: QueueSourceOptions) {
    const options: WorkerOptions = {
      connection: redis,
      prefix: keyPrefix,
      name,
      autorun: false,
      // Without this a connection that breaks during the check would make the source unusable for ever.
      skipVersionCheck: true,
      lockDuration: lockDurationMs,
      stalledInterval: stalledIntervalMs,
      maxStalledCount,
      runRetryDelay: 500,
      // A job with a backoff type that this worker does not know would otherwise stay active until it is taken for stalled.
      settings: { backoffStrategy: (attemptsMade) => Math.min(1_000 * 2 ** (attemptsMade - 1), 60_000) },
    }
    // Not BullMQ's default: that opens a blocking connection for each queue.
    super(queue, null, options, (queueName, opts) => createRedisBackend(queueName, opts))
    this.#redis = redis
    const keys = queueKeys(keyPrefix, queue)
    this.#markerKey = keys.marker
    this.base = keys.base
    this.on('error', (error) => {
      // The connection says for itself when it breaks.
      if (!isPassing(error)) log.warn({ queue, error: errorMessage(error) }, 'queue reported an error')
    })
  }

  /** Takes the next job, if there is one, locking it with the token. */
  async fetch(token: string): Promise<Fetched> {
    return await this.#take((await this.getBackend().moveToActive(token, this.opts.name)) as unknown as RawFetch, token)
  }

  /** Stores the result. With `fetchNext` the next job, if there is one, comes with the reply, locked with the same token. */
  async complete(job: TakenJob, result: unknown, token: string, fetchNext: boolean): Promise<Settled> {
    const raw = await job.moveToCompleted(result, token, fetchNext)
    if (!fetchNext) return { outcome: 'Stored' }
    return { outcome: 'Stored', followed: Array.isArray(raw) ? await this.#take(raw as unknown as RawFetch, token) : nothing }
  }

  /** Ends the attempt: the job fails, or runs again at once or later, as its own options say. */
  async fail(job: TakenJob, error: Error, token: string, fetchNext: boolean): Promise<Settled> {
    const raw = await job.moveToFailed(error, token, fetchNext)
    // Without a time of its end the job waits for its next attempt.
    if (!Array.isArray(raw) && job.finishedOn === undefined) await this.#keepPaused([job.id ?? ''])
    // With a retry, no job in the reply does not mean that there is none.
    return Array.isArray(raw) ? { outcome: 'Stored', followed: await this.#take(raw as unknown as RawFetch, token) } : { outcome: 'Stored' }
  }

  /** Puts an active job back to where it is taken from next; no attempt is used up. */
  async handBack(jobId: string, token: string): Promise<void> {
    await this.getBackend().moveJobFromActiveToWait(jobId, token)
    await this.#keepPaused([jobId])
    // BullMQ 6.7 wakes no worker for a prioritized job. In a paused queue the marker costs one look in vain.
    await this.#redis.zadd(this.#markerKey, 0, '0')
  }

  /** Gives back a marker that this worker took and cannot follow, so that another one does. */
  async returnMarker(member: string, score: string): Promise<void> {
    await this.#redis.zadd(this.#markerKey, 'NX', score, member)
  }

  /** Makes jobs of dead workers ready again, and returns their ids. Among all workers of a queue, one does it per interval. */
  async recoverStalled(): Promise<readonly string[]> {
    const ids = await this.getBackend().moveStalledJobsToWait()
    if (ids.length > 0) await this.#keepPaused(ids)
    return ids
  }

  /** Keeps jobs that went back to their queue from being lost when BullMQ 5 has paused it. */
  async #keepPaused(ids: readonly string[]): Promise<void> {
    await callScript(this.#redis, keepPausedScript, [{ keys: [this.base], args: ids }])
  }

  async #take([data, id, limitedMs, nextDueMs]: RawFetch, token: string): Promise<Fetched> {
    const outcome = { limitedMs: Math.max(limitedMs ?? 0, 0), nextDueMs: Math.max(nextDueMs ?? 0, 0) }
    if (!data) return { ...outcome, gotJob: false }
    const job = await this.nextJobFromJobData(data as Parameters<Worker['createJob']>[0], id, token)
    if (job === undefined) return { ...outcome, gotJob: true }
    const fault = findNumberFault((data as { readonly data?: unknown }).data)
    if (fault !== undefined) job.deferredFailure ??= fault
    return { ...outcome, gotJob: true, job }
  }
}

/** A handler would work with another number than the one that was sent, so the job fails instead, without a retry. */
function findNumberFault(text: unknown): string | undefined {
  const [inexact] = typeof text === 'string' ? findInexactNumbers(parseJson(text), 'payload') : []
  return inexact && `${inexact.field}: ${describeInexact(inexact.text)}`
}

/** Says whether BullMQ itself refused to end a job: there is no such job or lock, it is not active, or the lock is another one's. */
export function isRefusedByQueue(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code < 0
}

/** Returns which queues have a job that could be taken at that time of the worker's clock, and when the next one is due. Takes none. */
export async function peekSources(
  redis: Redis,
  sources: readonly QueueSource[],
  nowMs: number,
): Promise<readonly { readonly source: QueueSource; readonly hasJob: boolean; readonly nextDueMs: number }[]> {
  const [reply] = await callScript(redis, peekScript, [{ keys: sources.map(({ base }) => base), args: [nowMs] }])
  const row = reply as readonly number[]
  return sources.map((source, index) => ({ source, hasJob: row[2 * index] === 1, nextDueMs: row[2 * index + 1] ?? 0 }))
}

/** Returns the active jobs of a queue that are locked with one of these tokens: jobs that came in a reply that was lost. */
export async function findClaims(
  redis: Redis,
  source: QueueSource,
  tokens: Iterable<string>,
): Promise<readonly { readonly id: string; readonly token: string }[]> {
  const [reply] = await callScript(redis, findClaimsScript, [{ keys: [source.base], args: [...tokens] }])
  const row = reply as readonly string[]
  return Array.from({ length: row.length / 2 }, (_, index) => ({ id: row[2 * index] ?? '', token: row[2 * index + 1] ?? '' }))
}

/** A job that is locked by this process. */
export type HeldJob = { readonly source: QueueSource; readonly job: TakenJob; readonly id: string; readonly token: string }

/** Renews the locks of these jobs in one round trip, and returns those that are lost: another worker has the job, or it is not active any more. */
export async function renewLocks<T extends HeldJob>(redis: Redis, jobs: readonly T[], durationMs: number): Promise<readonly T[]> {
  const byBase = [...Map.groupBy(jobs, ({ source }) => source.base)]
  const replies = await callScript(
    redis,
    renewLocksScript,
    byBase.map(([base, own]) => ({
      keys: [base],
      args: [durationMs, ...own.flatMap(({ id, token, job }) => [id, token, job.attemptsStarted])],
    })),
  )
  return byBase.flatMap(([, own], index) => own.filter(({ id }) => (replies[index] as readonly string[]).includes(id)))
}

/** A marker that BullMQ left for idle workers: `0` with score 0 for a job that is there, `1` with the time of the next delayed one. */
export type Marker = { readonly source: QueueSource; readonly member: string; readonly score: string }

export type MarkerWatchDeps = {
  /** A connection for nothing but waiting. */
  readonly blocking: Redis
  readonly commands: Redis
  readonly log: Logger
  readonly stopped: AbortSignal
}

/**
 * Waits on a connection of its own for a marker in any of many queues. A marker may be the only wake-up that any worker gets: a worker that
 * pops one has to fetch from its queue, or to give the marker back. So wait only while a slot is free.
 */
export function createMarkerWatch({ blocking, commands, log, stopped }: MarkerWatchDeps) {
  let clientId: number | undefined
  blocking.on('close', () => (clientId = undefined))
  return {
    /** Undefined when the time is over. */
    async wait(sources: readonly QueueSource[], waitMs: number): Promise<Marker | undefined> {
      clientId ??= await blocking.client('ID')
      if (stopped.aborted) return undefined
      const byKey = new Map(sources.map((source) => [`${source.base}marker`, source]))
      const reply = await blocking.bzpopmin(...byKey.keys(), Math.max(waitMs / 1_000, shortestWaitSeconds))
      const source = reply === null ? undefined : byKey.get(reply[0])
      return reply === null || source === undefined ? undefined : { source, member: reply[1], score: reply[2] }
    },
    /** Ends a wait under way, without losing a marker that arrives at this very moment. False: it could not. */
    async interrupt(): Promise<boolean> {
      try {
        if (clientId !== undefined) await commands.client('UNBLOCK', clientId)
        return true
      } catch (error) {
        log.debug({ error: errorMessage(error) }, 'could not end the wait for jobs')
        return false
      }
    },
  }
}

export type MarkerWatch = ReturnType<typeof createMarkerWatch>
