import type { Clock } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { isPassing } from './broker-error.ts'
import { createMarkerWatch, findClaims, peekSources, type MarkerWatch, type QueueSource, type TakenJob } from './bullmq/index.ts'
import type { Connection } from './connection.ts'
import type { FetchPlan } from './fetch-plan.ts'

/** After an error that waiting for the connection does not cure, such as a key of the wrong type. */
const pauseAfterErrorMs = 5_000
/** Some servers accept connections and refuse every command for a while. */
const pauseWhileDownMs = 100

export type FetcherDeps = {
  readonly sources: ReadonlyMap<string, QueueSource>
  readonly plan: FetchPlan
  readonly commands: Connection
  readonly blocking: Connection
  readonly clock: Clock
  readonly log: Logger
  readonly stopped: AbortSignal
  /** Slots that no job occupies, reserved or not. */
  readonly freeSlots: () => number
  readonly newToken: () => string
  /** Takes over a job and the slot that was reserved for it. */
  readonly onJob: (source: QueueSource, job: TakenJob, token: string) => void
  /** Whether a job locked with that token is running here. */
  readonly isRunning: (jobId: string, token: string) => boolean
}

/**
 * Gets jobs into free slots. It asks a queue that may have a job, looks at all queues every few seconds, and waits for markers while nothing is
 * there. Each fetch reserves a slot first, so that no job is taken without one. When the broker was away, jobs that it handed out in replies
 * that were lost are given back first.
 */
export class Fetcher {
  readonly #deps: FetcherDeps
  readonly #watch: MarkerWatch
  /** By queue, the tokens of fetches whose reply was lost. */
  readonly #suspects = new Map<QueueSource, Set<string>>()
  readonly #underWay = new Set<Promise<void>>()
  #reserved = 0
  #lookedMs: number
  #isDown = true
  #isPeeking = false
  #isWatching = false

  constructor(deps: FetcherDeps) {
    const { commands, blocking, log, stopped, clock } = deps
    this.#deps = deps
    this.#watch = createMarkerWatch({ blocking: blocking.redis, commands: commands.redis, log, stopped })
    this.#lookedMs = clock.monotonicNow()
  }

  /** Begins, as soon as the broker is there. */
  start(): void {
    this.#spawn(this.#comeBack())
  }

  /** When it last looked what there is to do, on the monotonic clock. */
  get lookedMs(): number {
    return this.#lookedMs
  }

  /** Slots that are reserved for fetches under way. */
  get reserved(): number {
    return this.#reserved
  }

  /** Looks again what there is to do: to be called whenever a slot or a queue may have become free. */
  pump(): void {
    const { plan, sources, stopped, clock } = this.#deps
    this.#lookedMs = clock.monotonicNow()
    if (stopped.aborted || this.#isDown || this.#freeSlots() <= 0) return
    this.lookIfDue()
    const nowMs = clock.now()
    while (this.#freeSlots() > 0) {
      const queue = plan.takeQueue(nowMs)
      const source = queue === undefined ? undefined : sources.get(queue)
      if (source === undefined) break
      this.#reserved++
      this.#spawn(this.#fetch(source))
    }
    if (this.#freeSlots() > 0 && this.#reserved === 0 && !this.#isWatching) {
      this.#isWatching = true
      this.#spawn(this.#watchMarkers())
    }
  }

  /** Looks at all queues, if it is time for that. It takes no job, so that no slot waits for it. */
  lookIfDue(): void {
    const { plan, stopped, clock } = this.#deps
    if (stopped.aborted || this.#isDown || this.#isPeeking || !plan.isPeekDue(clock.now(), !this.#isWatching)) return
    this.#isPeeking = true
    this.#spawn(this.#peek())
  }

  /** Tells that the reply to a fetch with that token was lost. */
  suspect(source: QueueSource, token: string): void {
    const tokens = this.#suspects.get(source) ?? new Set()
    this.#suspects.set(source, tokens.add(token))
    this.#goDown()
  }

  /** Resolves when nothing is under way any more; to be called after `stopped` has aborted. */
  async settled(): Promise<void> {
    if (!(await this.#watch.interrupt())) this.#deps.blocking.close()
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #freeSlots(): number {
    return this.#deps.freeSlots() - this.#reserved
  }

  #spawn(work: Promise<void>): void {
    const tracked = work.finally(() => {
      this.#underWay.delete(tracked)
      this.pump()
    })
    this.#underWay.add(tracked)
  }

  async #fetch(source: QueueSource): Promise<void> {
    const { plan, clock, log, newToken, onJob } = this.#deps
    const token = newToken()
    try {
      const { job, ...outcome } = await source.fetch(token)
      plan.recordFetch(source.name, outcome, clock.now())
      if (job !== undefined) onJob(source, job, token)
    } catch (error) {
      if (isPassing(error)) {
        plan.recordFailure(source.name, clock.now(), 0)
        this.suspect(source, token)
      } else {
        log.error({ queue: source.name, error: errorMessage(error) }, 'taking a job failed')
        plan.recordFailure(source.name, clock.now(), pauseAfterErrorMs)
      }
    } finally {
      // After `onJob`: the slot is reserved until it is occupied.
      this.#reserved--
      plan.endFetch(source.name)
    }
  }

  /** One look at all queues: so that none starves while the slots go round among others, and none is forgotten with a lost marker. */
  async #peek(): Promise<void> {
    const { sources, plan, commands, clock, log } = this.#deps
    const all = [...sources.values()]
    try {
      for (const { source, hasJob, nextDueMs } of await peekSources(commands.redis, all, clock.now())) {
        plan.recordPeek(source.name, hasJob, nextDueMs)
      }
    } catch (error) {
      if (isPassing(error)) this.#goDown()
      else {
        log.error({ error: errorMessage(error) }, 'looking at the queues failed')
        for (const { name } of all) plan.markReady(name)
      }
    } finally {
      plan.recordLook(clock.now(), false)
      this.#isPeeking = false
    }
  }

  async #watchMarkers(): Promise<void> {
    const { sources, plan, blocking, clock, log, stopped } = this.#deps
    const nowMs = clock.now()
    const watched = plan.listWatchable(nowMs).flatMap((queue) => sources.get(queue) ?? [])
    try {
      if (watched.length === 0) return await this.#later(plan.waitMs(nowMs))
      await blocking.waitUntilBack(stopped)
      const marker = await this.#watch.wait(watched, plan.waitMs(nowMs))
      if (marker !== undefined) {
        const { source, member, score } = marker
        if (stopped.aborted || this.#freeSlots() <= 0) await source.returnMarker(member, score)
        plan.recordMarker(source.name, Number(score))
      }
      plan.recordLook(clock.now(), true)
    } catch (error) {
      if (stopped.aborted) return
      // Markers may have been lost with the reply.
      for (const queue of plan.queues) plan.markReady(queue)
      if (isPassing(error)) return await blocking.waitUntilBack(stopped).catch(() => undefined)
      log.error({ error: errorMessage(error) }, 'waiting for jobs failed')
      await this.#later(pauseAfterErrorMs)
    } finally {
      this.#isWatching = false
    }
  }

  /** Resolves after that time, or when `stopped` aborts. */
  #later(ms: number): Promise<void> {
    const { clock, stopped } = this.#deps
    return new Promise((resolve) => {
      const end = () => {
        stopped.removeEventListener('abort', end)
        clock.clearTimeout(timer)
        resolve()
      }
      const timer = clock.setTimeout(end, ms)
      stopped.addEventListener('abort', end, { once: true })
    })
  }

  #goDown(): void {
    if (this.#isDown) return
    this.#isDown = true
    this.#spawn(this.#later(pauseWhileDownMs).then(() => this.#comeBack()))
  }

  /** Waits for the broker, and gives back what it handed out in replies that were lost. */
  async #comeBack(): Promise<void> {
    const { commands, plan, clock, log, stopped } = this.#deps
    while (this.#isDown && !stopped.aborted) {
      try {
        await commands.waitUntilBack(stopped)
        this.#lookedMs = clock.monotonicNow()
        await this.#giveBackClaims()
        // Another reply may have been lost meanwhile.
        if (this.#suspects.size > 0) continue
        for (const queue of plan.queues) plan.markReady(queue)
        this.#isDown = false
      } catch (error) {
        if (stopped.aborted) return
        if (!isPassing(error)) {
          log.error({ error: errorMessage(error) }, 'giving back jobs of lost replies failed')
          this.#suspects.clear()
        }
        await this.#later(pauseWhileDownMs)
      }
    }
  }

  async #giveBackClaims(): Promise<void> {
    const { commands, isRunning } = this.#deps
    for (const [source, tokens] of [...this.#suspects]) {
      const asked = [...tokens]
      for (const { id, token } of await findClaims(commands.redis, source, asked)) {
        if (!isRunning(id, token)) await source.handBack(id, token)
      }
      // Those that were added while it asked stay for the next round.
      for (const token of asked) tokens.delete(token)
      if (tokens.size === 0) this.#suspects.delete(source)
    }
  }
}
