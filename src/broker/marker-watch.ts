import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { Connection } from './connection.ts'

/** A marker that BullMQ left for idle workers: `0` with score 0 for a job that is there, `1` with the time of the next delayed one. */
export type Marker = { readonly key: string; readonly member: string; readonly score: string }

/** Below 2 ms older servers round to 0, which means for ever. */
const shortestSeconds = 0.002

export type MarkerWatchDeps = {
  readonly blocking: Connection
  readonly commands: Connection
  readonly log: Logger
  readonly stopped: AbortSignal
}

/**
 * Waits on a connection of its own for a marker in any of many queues. Whoever pops a marker has to fetch from its queue, or to give the
 * marker back: it may be the only wake-up that any worker gets. Hence it must only be waited for while a slot is free.
 */
export function createMarkerWatch({ blocking, commands, log, stopped }: MarkerWatchDeps) {
  let clientId: number | undefined
  blocking.redis.on('close', () => (clientId = undefined))
  return {
    /** Undefined when the time is over. */
    async wait(keys: readonly string[], waitMs: number): Promise<Marker | undefined> {
      clientId ??= await blocking.redis.client('ID')
      if (stopped.aborted) return undefined
      const reply = await blocking.redis.bzpopmin(...keys, Math.max(waitMs / 1_000, shortestSeconds))
      return reply === null ? undefined : { key: reply[0], member: reply[1], score: reply[2] }
    },
    /** Ends a wait under way, without losing a marker that arrives at this very moment. */
    async interrupt(): Promise<void> {
      try {
        if (clientId !== undefined) await commands.redis.client('UNBLOCK', clientId)
      } catch (error) {
        log.debug({ error: errorMessage(error) }, 'could not end the wait for jobs')
        blocking.close()
      }
    },
  }
}

export type MarkerWatch = ReturnType<typeof createMarkerWatch>
