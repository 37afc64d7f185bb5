import type { Job } from 'bullmq'
import type { Clock } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { isPassing } from './broker-error.ts'
import type { Connection } from './connection.ts'
import type { FetchPlan } from './fetch-plan.ts'
import type { MarkerWatch } from './marker-watch.ts'
import type { QueueSource } from './queue-source.ts'
import { callScript, loadScript } from './script.ts'

const peekScript = loadScript('peek')
const findClaimsScript = loadScript('find-claims')

/** After an error that waiting for the connection does not cure, such as a key of the wrong type. */
const pauseAfterErrorMs = 5_000
/** Some servers accept connections and refuse every command for a while. */
const pauseWhileDownMs = 100

export type FetcherDeps = {
  readonly sources: ReadonlyMap<string, QueueSource>
  readonly plan: FetchPlan
  readonly commands: Connection
  readonly blocking: Connection
  readonly watch: MarkerWatch
  readonly clock: Clock
  readonly log: Logger
  readonly stopped: AbortSignal
  /** Slots that nobody uses or has reserved. */
  readonly freeSlots: () => number
  readonly newToken: () => string
  /** Takes over a job and the slot that was reserved for it. */
  readonly onJob: (source: QueueSource, job: Job, token: string) => void
  /** Whether a job locked with that token is running here. */
  readonly isRunning: (jobId: string, token: string) => boolean
}

/** Gets jobs into free slots. */
export type Fetcher = {
  /** Begins, as soon as the broker is there. */
  start(): void
  /** Looks again what there is to do: to be called whenever a slot or a queue may have become free. */
  pump(): void
  /** When it last looked what there is to do, on the monotonic clock. */
  lookedMs(): number
  /** Slots that are reserved for fetches under way. */
  reserved(): number
  /** The reply to a fetch with that token was lost. */
  suspect(source: QueueSource, token: string): void
  /** Resolves when nothing is under way any more; to be called after `stopped` has aborted. */
  settled(): Promise<void>
}

export function createFetcher(deps: FetcherDeps): Fetcher {
  const { sources, plan, commands, blocking, watch, clock, log, stopped, freeSlots, newToken, onJob, isRunning } = deps
  const byMarker = new Map([...sources.values()].map((source) => [`${source.base}marker`, source]))
  const suspects = new Map<QueueSource, Set<string>>()
  const underWay = new Set<Promise<void>>()
  let reserved = 0
  let lookedMs = clock.monotonicNow()
  let isDown = true
  let isPeeking = false
  let isWatching = false

  const spawn = (work: Promise<void>) => {
    const tracked = work.finally(() => {
      underWay.delete(tracked)
      pump()
    })
    underWay.add(tracked)
  }

  const pump = () => {
    lookedMs = clock.monotonicNow()
    if (stopped.aborted || isDown || isPeeking) return
    const nowMs = clock.now()
    if (freeSlots() <= 0) return
    if (plan.isPeekDue(nowMs, !isWatching)) {
      isPeeking = true
      return spawn(peek())
    }
    while (freeSlots() > 0) {
      const queue = plan.take(nowMs)
      const source = queue === undefined ? undefined : sources.get(queue)
      if (source === undefined) break
      reserved++
      spawn(fetch(source))
    }
    if (freeSlots() > 0 && reserved === 0 && !isWatching) {
      isWatching = true
      spawn(watchMarkers())
    }
  }

  const fetch = async (source: QueueSource) => {
    const token = newToken()
    try {
      const { job, ...outcome } = await source.fetch(token)
      plan.found(source.name, outcome, clock.now())
      if (job !== undefined) onJob(source, job, token)
    } catch (error) {
      if (isPassing(error)) {
        plan.failed(source.name, clock.now(), 0)
        suspect(source, token)
        goDown()
      } else {
        log.error({ queue: source.name, error: errorMessage(error) }, 'taking a job failed')
        plan.failed(source.name, clock.now(), pauseAfterErrorMs)
      }
    } finally {
      // After `onJob`: the slot is reserved until it is occupied.
      reserved--
      plan.done(source.name)
    }
  }

  /** One look at all queues: so that none starves while the slots go round among others, and none is forgotten with a lost marker. */
  const peek = async () => {
    const all = [...sources.values()]
    try {
      const [reply] = await callScript(commands.redis, peekScript, [{ keys: all.map(({ base }) => base), args: [clock.now()] }])
      for (const [index, source] of all.entries()) {
        const [hasJob, nextDueMs] = (reply as readonly number[]).slice(2 * index, 2 * index + 2)
        plan.peeked(source.name, hasJob === 1, nextDueMs ?? 0)
      }
    } catch (error) {
      if (isPassing(error)) goDown()
      else {
        log.error({ error: errorMessage(error) }, 'looking at the queues failed')
        for (const { name } of all) plan.ready(name)
      }
    } finally {
      plan.looked(clock.now(), false)
      isPeeking = false
    }
  }

  const watchMarkers = async () => {
    const nowMs = clock.now()
    const keys = plan.watchable(nowMs).map((queue) => `${sources.get(queue)?.base ?? ''}marker`)
    try {
      if (keys.length === 0) return await later(plan.waitMs(nowMs))
      await blocking.back(stopped)
      const marker = await watch.wait(keys, plan.waitMs(nowMs))
      const source = marker === undefined ? undefined : byMarker.get(marker.key)
      if (marker !== undefined && source !== undefined) {
        if (stopped.aborted || freeSlots() <= 0) await source.returnMarker(marker.member, marker.score)
        plan.marker(source.name, Number(marker.score))
      }
      plan.looked(clock.now(), true)
    } catch (error) {
      if (stopped.aborted) return
      // Markers may have been lost with the reply.
      for (const queue of plan.queues) plan.ready(queue)
      if (isPassing(error)) return await blocking.back(stopped).catch(() => undefined)
      log.error({ error: errorMessage(error) }, 'waiting for jobs failed')
      await later(pauseAfterErrorMs)
    } finally {
      isWatching = false
    }
  }

  const later = (ms: number) =>
    new Promise<void>((resolve) => {
      const end = () => {
        stopped.removeEventListener('abort', end)
        clock.clearTimeout(timer)
        resolve()
      }
      const timer = clock.setTimeout(end, ms)
      stopped.addEventListener('abort', end, { once: true })
    })

  const suspect = (source: QueueSource, token: string) => {
    const tokens = suspects.get(source) ?? new Set()
    suspects.set(source, tokens.add(token))
  }

  const goDown = () => {
    if (isDown) return
    isDown = true
    spawn(later(pauseWhileDownMs).then(comeBack))
  }

  /** Waits for the broker, and gives back what it handed out in replies that were lost. */
  const comeBack = async () => {
    while (isDown && !stopped.aborted) {
      try {
        await commands.back(stopped)
        lookedMs = clock.monotonicNow()
        await giveBackClaims()
        for (const queue of plan.queues) plan.ready(queue)
        isDown = false
      } catch (error) {
        if (stopped.aborted) return
        if (!isPassing(error)) {
          log.error({ error: errorMessage(error) }, 'giving back jobs of lost replies failed')
          suspects.clear()
        }
        await later(pauseWhileDownMs)
      }
    }
  }

  const giveBackClaims = async () => {
    for (const [source, tokens] of [...suspects]) {
      const [reply] = await callScript(commands.redis, findClaimsScript, [{ keys: [source.base], args: [...tokens] }])
      const claims = reply as readonly string[]
      for (let index = 0; index < claims.length; index += 2) {
        const [id = '', token = ''] = claims.slice(index, index + 2)
        if (!isRunning(id, token)) await source.handBack(id, token)
      }
      suspects.delete(source)
    }
  }

  return {
    start: () => spawn(comeBack()),
    pump,
    lookedMs: () => lookedMs,
    reserved: () => reserved,
    suspect(source, token) {
      suspect(source, token)
      goDown()
    },
    async settled() {
      await watch.interrupt()
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
}
