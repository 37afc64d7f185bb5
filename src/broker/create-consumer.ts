import type { Job } from 'bullmq'
import { deadline, sleep, type Deadline, type TimerHandle } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import { isPassing } from './broker-error.ts'
import { openConnection } from './connection.ts'
import { createConsumerHealth } from './consumer-health.ts'
import type { Consumer, ConsumerOptions, DrainResult } from './consumer-port.ts'
import { createFetchPlan } from './fetch-plan.ts'
import { createFetcher } from './fetcher.ts'
import { isRefused, runJob, type JobRun, type JobRunDeps } from './job-run.ts'
import { createLockKeeper } from './lock-keeper.ts'
import { createMarkerWatch } from './marker-watch.ts'
import { QueueSource } from './queue-source.ts'

/** A command without a reply for that long: the connection is dead. */
const silenceMs = 5_000
/** How long an aborted handler has to notice before its job is handed back while it may still run. */
const noticeMs = 250
/** How long a drain waits for a broker that is away. */
const patienceMs = 2_000

/** Makes a consumer. It connects at once, with two connections however many queues there are, and takes no job before `run`. */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { address, credentials, tls, keyPrefix, queues, concurrency, name, instance, log, clock } = options
  const { lockDurationMs = 30_000, stalledIntervalMs = 30_000, maxStalledCount = 3 } = options
  const stopped = new AbortController()
  const gaveUp = new AbortController()
  const commands = openConnection({ address, credentials, tls, name: `taskmill:worker:${name}`, silenceMs, log, clock })
  const blocking = openConnection({ address, credentials, tls, name: `taskmill:worker:${name}:wait`, silenceMs: 2 * silenceMs, log, clock })
  const shared = { keyPrefix, redis: commands.redis, name, lockDurationMs, stalledIntervalMs, maxStalledCount, log }
  const sources = new Map([...new Set(queues)].map((queue) => [queue, new QueueSource({ ...shared, queue })]))
  const plan = createFetchPlan([...sources.keys()])
  /** By token: each slot has its own. */
  const runs = new Map<string, JobRun>()
  const onRunsChange = new Set<() => void>()
  const counts = { finished: 0, handedBack: 0, abandoned: 0 }
  const lateJobs: Promise<void>[] = []
  const over = Promise.withResolvers<void>()
  let tokens = 0
  let stalledTimer: TimerHandle | undefined
  let recovering: Promise<void> = Promise.resolve()
  let draining: { readonly limit: Deadline; readonly result: Promise<DrainResult> } | undefined

  const locks = createLockKeeper({ connection: commands, runs: () => runs.values(), lockDurationMs, clock, log })
  const fetcher = createFetcher({
    sources,
    plan,
    commands,
    blocking,
    clock,
    log,
    watch: createMarkerWatch({ blocking, commands, log, stopped: stopped.signal }),
    stopped: stopped.signal,
    freeSlots: () => concurrency - runs.size - fetcher.reserved(),
    newToken: () => `${name}:${instance}:${tokens++}`,
    onJob(source, job, token) {
      const slot = occupySlot(source, job, token)
      // What arrives after the stop is only given back, and the drain waits for that.
      if (stopped.signal.aborted) lateJobs.push(slot)
    },
    isRunning: (id, token) => runs.get(token)?.id === id,
  })
  const health = createConsumerHealth({
    redis: commands.redis,
    clock,
    lookedMs: fetcher.lookedMs,
    isLooking: () => !stopped.signal.aborted && runs.size + fetcher.reserved() < concurrency,
  })
  const runDeps: JobRunDeps = {
    log,
    clock,
    process: options.process,
    connection: commands,
    gaveUp: gaveUp.signal,
    wantsNext({ source }) {
      const nowMs = clock.now()
      if (stopped.signal.aborted || !plan.keeps(source.name, nowMs) || plan.isPeekDue(nowMs, true)) return false
      plan.asking(source.name)
      return true
    },
    onLostReply: ({ source, token }) => fetcher.suspect(source, token),
  }

  /** Runs a job, and then those that come with the end of the one before. Never rejects. */
  const occupySlot = async (source: QueueSource, firstJob: Job, token: string) => {
    for (let job: Job | undefined = firstJob; job !== undefined;) {
      const run: JobRun = {
        source,
        job,
        token,
        id: job.id ?? '',
        abort: new AbortController(),
        state: 'Running',
        isHandled: false,
        isStoring: false,
      }
      runs.set(token, run)
      if (stopped.signal.aborted) {
        await giveBack(run)
        break
      }
      const { outcome, followed } = await runJob(run, runDeps)
      if (stopped.signal.aborted && outcome === 'Stored') counts.finished++
      if (outcome === 'Abandoned') counts.abandoned++
      if (run.state === 'Draining' && outcome === 'Dropped') {
        // Stays among the runs: the drain hands all of them back, in their order.
        for (const look of onRunsChange) look()
        return
      }
      // Without a look along with it: what kept others from running (the queue's own limit) may have ended with this job.
      if (followed === undefined) plan.ready(source.name)
      else plan.found(source.name, followed, clock.now())
      job = followed?.job
    }
    runs.delete(token)
    for (const look of onRunsChange) look()
    fetcher.pump()
  }

  const giveBack = async (run: JobRun) => {
    if (run.state === 'Released') return
    run.state = 'Released'
    for (;;) {
      try {
        await run.source.handBack(run.id, run.token)
        counts.handedBack++
        return
      } catch (error) {
        if (isRefused(error)) return
        if (isPassing(error)) {
          const isBack = await commands
            .back(gaveUp.signal)
            .then(() => sleep(clock, 100, gaveUp.signal))
            .then(
              () => true,
              () => false,
            )
          if (isBack) continue
        }
        counts.abandoned++
        log.warn({ queue: run.source.name, job: run.id, error: errorMessage(error) }, 'a job could not be handed back')
        return
      }
    }
  }

  const recoverStalled = async () => {
    const recover = async (source: QueueSource) => {
      try {
        const jobs = await source.recoverStalled()
        if (jobs.length > 0) log.warn({ queue: source.name, jobs }, 'jobs of dead workers will run again')
      } catch (error) {
        log[isPassing(error) ? 'debug' : 'error'](
          { queue: source.name, error: errorMessage(error) },
          'looking for jobs of dead workers failed',
        )
      }
    }
    await Promise.all([...sources.values()].map(recover))
    if (!stopped.signal.aborted) stalledTimer = clock.setTimeout(() => void (recovering = recoverStalled()), stalledIntervalMs)
  }

  /** Resolves when that is so of all runs, or when the signal aborts. */
  const allRuns = (are: (run: JobRun) => boolean, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!signal.aborted && ![...runs.values()].every(are)) return
        onRunsChange.delete(look)
        signal.removeEventListener('abort', look)
        resolve()
      }
      onRunsChange.add(look)
      signal.addEventListener('abort', look)
      look()
    })

  const drain = async (limit: Deadline): Promise<DrainResult> => {
    stopped.abort()
    if (stalledTimer !== undefined) clock.clearTimeout(stalledTimer)
    const fetches = fetcher.settled()
    await allRuns(() => false, limit.signal)

    for (const run of runs.values()) {
      if (run.state !== 'Running' || run.isStoring) continue
      run.state = 'Draining'
      run.abort.abort(new DOMException('the worker is draining: the job runs again elsewhere', 'AbortError'))
    }
    using notice = deadline(clock, noticeMs, { reason: () => undefined })
    await allRuns(({ isHandled, state }) => isHandled || state === 'Released', notice.signal)

    using patience = deadline(clock, patienceMs, { reason: () => undefined })
    patience.signal.addEventListener('abort', () => gaveUp.abort())
    // The last one that is put back is the first to be taken again.
    for (const run of [...runs.values()].toReversed()) if (!run.isStoring) await giveBack(run)
    await Promise.race([fetches, aborted(patience.signal)])
    await Promise.all(lateJobs)
    await allRuns(({ state }) => state === 'Released', patience.signal)

    gaveUp.abort()
    commands.close()
    blocking.close()
    await Promise.all([locks.stop(), fetches, recovering])
    over.resolve()
    return counts
  }

  return {
    async run() {
      fetcher.start()
      recovering = commands.back(stopped.signal).then(recoverStalled, () => undefined)
      await over.promise
    },
    async drain(timeoutMs) {
      if (draining === undefined) {
        const limit = deadline(clock, timeoutMs, { reason: () => undefined })
        draining = { limit, result: drain(limit).finally(() => limit[Symbol.dispose]()) }
      } else draining.limit.rearm(timeoutMs)
      return await draining.result
    },
    running: () => runs.size,
    health,
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
