import type { Redis } from 'ioredis'
import { deadline, sleep, type Clock, type Deadline, type TimerHandle } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import { isPassing } from './broker-error.ts'
import { isRefusedByQueue, QueueSource, type TakenJob } from './bullmq/index.ts'
import { openConnection, type Connection } from './connection.ts'
import type { Consumer, ConsumerHealth, ConsumerOptions, DrainResult } from './consumer-port.ts'
import { createFetchPlan, type FetchPlan } from './fetch-plan.ts'
import { Fetcher } from './fetcher.ts'
import { createLockKeeper, runJob, type JobRun, type JobRunDeps } from './job-run.ts'

/** A command without a reply for that long: the connection is dead. */
const silenceMs = 5_000
/** How long an aborted handler has to notice before its job is handed back while it may still run. */
const noticeMs = 250
/** How long a drain waits for a broker that is away. */
const patienceMs = 2_000
/** Between two tries to hand a job back. */
const retryHandBackMs = 100

/** Makes a consumer. It connects at once, with two connections however many queues there are, and takes no job before `run`. */
export function createConsumer(options: ConsumerOptions): Consumer {
  return new QueueConsumer(options)
}

/** A set of slots, each known by the token of its lock. A slot takes a job, runs it, and then runs the job that comes with the reply to its end. */
class QueueConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #stopped = new AbortController()
  readonly #gaveUp = new AbortController()
  readonly #commands: Connection
  readonly #blocking: Connection
  readonly #sources: ReadonlyMap<string, QueueSource>
  readonly #plan: FetchPlan
  readonly #fetcher: Fetcher
  readonly #locks: { stop(): Promise<void> }
  readonly #health: () => ConsumerHealth
  readonly #runDeps: JobRunDeps
  /** By token. */
  readonly #runs = new Map<string, JobRun>()
  /** By queue, how many of them. */
  readonly #running = new Map<string, number>()
  readonly #runsListeners = new Set<() => void>()
  readonly #counts = { finished: 0, handedBack: 0, abandoned: 0 }
  /** Slots of jobs that arrived after the stop: they are only handed back, and the drain waits for that. */
  readonly #lateSlots: Promise<void>[] = []
  readonly #over = Promise.withResolvers<void>()
  readonly #stalledIntervalMs: number
  #tokens = 0
  #stalledTimer: TimerHandle | undefined
  #recovering: Promise<void> = Promise.resolve()
  #draining: { readonly limit: Deadline; readonly result: Promise<DrainResult> } | undefined

  constructor(options: ConsumerOptions) {
    const { address, credentials, tls, keyPrefix, queues, concurrency, name, instance, log, clock } = options
    const { lockDurationMs = 30_000, stalledIntervalMs = 30_000, maxStalledCount = 3 } = options
    const access = { address, credentials, tls, log, clock }
    const commands = openConnection({ ...access, name: `taskmill:worker:${name}`, silenceMs })
    const blocking = openConnection({ ...access, name: `taskmill:worker:${name}:wait`, silenceMs: 2 * silenceMs })
    const shared = { keyPrefix, redis: commands.redis, name, lockDurationMs, stalledIntervalMs, maxStalledCount, log }
    this.#options = options
    this.#stalledIntervalMs = stalledIntervalMs
    this.#commands = commands
    this.#blocking = blocking
    this.#sources = new Map([...new Set(queues)].map((queue) => [queue, new QueueSource({ ...shared, queue })]))
    this.#plan = createFetchPlan([...this.#sources.keys()])
    this.#locks = createLockKeeper({ connection: commands, runs: () => this.#runs.values(), lockDurationMs, clock, log })
    this.#fetcher = new Fetcher({
      sources: this.#sources,
      plan: this.#plan,
      commands,
      blocking,
      clock,
      log,
      stopped: this.#stopped.signal,
      freeSlots: () => concurrency - this.#runs.size,
      newToken: () => `${name}:${instance}:${this.#tokens++}`,
      onJob: (source, job, token) => {
        const slot = this.#occupySlot(source, job, token)
        if (this.#stopped.signal.aborted) this.#lateSlots.push(slot)
      },
      isRunning: (id, token) => this.#runs.get(token)?.id === id,
    })
    this.#health = createConsumerHealth({
      redis: commands.redis,
      clock,
      lookedMs: () => this.#fetcher.lookedMs,
      isLooking: () => !this.#stopped.signal.aborted && this.#runs.size + this.#fetcher.reserved < concurrency,
    })
    this.#runDeps = {
      log,
      clock,
      process: options.process,
      connection: commands,
      gaveUp: this.#gaveUp.signal,
      wantsNext: (run) => this.#wantsNext(run),
      onLostReply: ({ source, token }) => this.#fetcher.suspect(source, token),
    }
  }

  async run(): Promise<void> {
    this.#fetcher.start()
    this.#recovering = this.#commands.waitUntilBack(this.#stopped.signal).then(
      () => this.#recoverStalled(),
      () => undefined,
    )
    await this.#over.promise
  }

  async drain(timeoutMs: number): Promise<DrainResult> {
    if (this.#draining === undefined) {
      const limit = deadline(this.#options.clock, timeoutMs, { reason: () => undefined })
      this.#draining = { limit, result: this.#drain(limit).finally(() => limit[Symbol.dispose]()) }
    } else this.#draining.limit.rearm(timeoutMs)
    return await this.#draining.result
  }

  running(): number {
    return this.#runs.size
  }

  health(): ConsumerHealth {
    return this.#health()
  }

  /** Runs a job, and then those that come with the end of the one before. Never rejects. */
  async #occupySlot(source: QueueSource, firstJob: TakenJob, token: string): Promise<void> {
    this.#running.set(source.name, (this.#running.get(source.name) ?? 0) + 1)
    for (let job: TakenJob | undefined = firstJob; job !== undefined;) {
      const run = startRun(source, job, token)
      this.#runs.set(token, run)
      if (this.#stopped.signal.aborted) {
        await this.#handBack(run)
        break
      }
      const { outcome, followed } = await runJob(run, this.#runDeps)
      if (this.#stopped.signal.aborted && outcome === 'Stored') this.#counts.finished++
      if (outcome === 'Abandoned') this.#counts.abandoned++
      if (run.state === 'Draining' && outcome === 'Dropped') {
        // Stays among the runs: the drain hands all of them back, in their order.
        this.#tellRunsListeners()
        return
      }
      // Without a look along with it: what kept others from running (the queue's own limit) may have ended with this job.
      if (followed === undefined) this.#plan.markReady(source.name)
      else this.#plan.recordFetch(source.name, followed, this.#options.clock.now())
      job = followed?.job
    }
    this.#runs.delete(token)
    this.#running.set(source.name, (this.#running.get(source.name) ?? 1) - 1)
    this.#tellRunsListeners()
    this.#fetcher.pump()
  }

  /** Says whether the reply to the end of a run should bring the next job of its queue: not when another queue has too few slots. */
  #wantsNext({ source }: JobRun): boolean {
    if (this.#stopped.signal.aborted) return false
    // Here, too: while all slots go from job to job, nothing else looks.
    this.#fetcher.lookIfDue()
    if (!this.#plan.canKeepSlot(source.name, this.#options.clock.now(), this.#running)) return false
    this.#plan.markAsked(source.name)
    return true
  }

  /** Puts the job of a run back into its queue. Retries while the broker is away, until the drain gives up. */
  async #handBack(run: JobRun): Promise<void> {
    if (run.state === 'Released') return
    run.state = 'Released'
    for (;;) {
      try {
        await run.source.handBack(run.id, run.token)
        this.#counts.handedBack++
        return
      } catch (error) {
        if (isRefusedByQueue(error)) return
        if (isPassing(error) && (await this.#isBrokerBack())) continue
        this.#counts.abandoned++
        this.#options.log.warn({ queue: run.source.name, job: run.id, error: errorMessage(error) }, 'a job could not be handed back')
        return
      }
    }
  }

  /** Resolves with true when it is worth another try, with false when the drain has given up. */
  async #isBrokerBack(): Promise<boolean> {
    const { signal } = this.#gaveUp
    try {
      await this.#commands.waitUntilBack(signal)
      await sleep(this.#options.clock, retryHandBackMs, signal)
      return true
    } catch {
      return false
    }
  }

  async #recoverStalled(): Promise<void> {
    const { log, clock } = this.#options
    const recover = async (source: QueueSource) => {
      try {
        const jobs = await source.recoverStalled()
        if (jobs.length > 0) log.warn({ queue: source.name, jobs }, 'jobs of dead workers will run again')
      } catch (error) {
        const level = isPassing(error) ? 'debug' : 'error'
        log[level]({ queue: source.name, error: errorMessage(error) }, 'looking for jobs of dead workers failed')
      }
    }
    await Promise.all([...this.#sources.values()].map(recover))
    if (this.#stopped.signal.aborted) return
    this.#stalledTimer = clock.setTimeout(() => void (this.#recovering = this.#recoverStalled()), this.#stalledIntervalMs)
  }

  async #drain(limit: Deadline): Promise<DrainResult> {
    const { clock } = this.#options
    this.#stopped.abort()
    if (this.#stalledTimer !== undefined) clock.clearTimeout(this.#stalledTimer)
    const fetches = this.#fetcher.settled()
    await this.#untilAllRuns(() => false, limit.signal)

    for (const run of this.#runs.values()) {
      if (run.state !== 'Running' || run.isStoring) continue
      run.state = 'Draining'
      run.abort.abort(new DOMException('the worker is draining: the job runs again elsewhere', 'AbortError'))
    }
    using notice = deadline(clock, noticeMs, { reason: () => undefined })
    await this.#untilAllRuns(({ isHandled, state }) => isHandled || state === 'Released', notice.signal)

    using patience = deadline(clock, patienceMs, { reason: () => undefined })
    patience.signal.addEventListener('abort', () => this.#gaveUp.abort())
    // The last one that is put back is the first to be taken again.
    for (const run of [...this.#runs.values()].toReversed()) if (!run.isStoring) await this.#handBack(run)
    await Promise.race([fetches, untilAborted(patience.signal)])
    await Promise.all(this.#lateSlots)
    await this.#untilAllRuns(({ state }) => state === 'Released', patience.signal)

    this.#gaveUp.abort()
    this.#commands.close()
    this.#blocking.close()
    await Promise.all([this.#locks.stop(), fetches, this.#recovering])
    this.#over.resolve()
    return this.#counts
  }

  #tellRunsListeners(): void {
    for (const listener of this.#runsListeners) listener()
  }

  /** Resolves when that is so of all runs, or when the signal aborts. */
  #untilAllRuns(isSo: (run: JobRun) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!signal.aborted && ![...this.#runs.values()].every(isSo)) return
        this.#runsListeners.delete(look)
        signal.removeEventListener('abort', look)
        resolve()
      }
      this.#runsListeners.add(look)
      signal.addEventListener('abort', look)
      look()
    })
  }
}

function startRun(source: QueueSource, job: TakenJob, token: string): JobRun {
  const abort = new AbortController()
  return { source, job, token, id: job.id ?? '', abort, state: 'Running', isHandled: false, isStoring: false }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

export type ConsumerHealthDeps = {
  /** The connection that commands go over. */
  readonly redis: Redis
  readonly clock: Clock
  /** When jobs were last looked for, on the monotonic clock. */
  readonly lookedMs: () => number
  /** Whether there is a reason to look for jobs: a slot is free, and no drain has begun. */
  readonly isLooking: () => boolean
}

/** Returns a function that reports the state of a consumer. It follows the connection. */
export function createConsumerHealth({ redis, clock, lookedMs, isLooking }: ConsumerHealthDeps): () => ConsumerHealth {
  let hasConnected = redis.status === 'ready'
  let isConnected = hasConnected
  let sinceMs = clock.monotonicNow()
  const change = (connected: boolean) => () => {
    if (connected === isConnected) return
    isConnected = connected
    hasConnected ||= connected
    sinceMs = clock.monotonicNow()
  }
  redis.on('ready', change(true))
  redis.on('close', change(false))
  return () => {
    const nowMs = clock.monotonicNow()
    return {
      hasConnected,
      awayMs: isConnected ? 0 : nowMs - sinceMs,
      stuckMs: isConnected && isLooking() ? nowMs - Math.max(sinceMs, lookedMs()) : 0,
    }
  }
}
