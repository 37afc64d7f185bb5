import type { Broker, PlacedRef, PlacedState } from '../../broker/index.ts'
import type { Clock, TimerHandle } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'

/**
 * Where placed jobs are that have not ended: in their queue, or in a worker's hands. For people only: nothing is decided by it.
 *
 * Guarantees: a job is looked at 2 s after it is named, then at intervals that double up to 30 s, so that what ends soon costs nothing and what
 * lasts costs next to nothing; whatever is due within a second shares a round trip per broker.
 * Does not: tell of ends (`Tracking` does, at once), or of a broker that is away: what was found last stays.
 */
export type Whereabouts = {
  /** Looks for these jobs of one owner until others are named. The same ones again cost nothing. Calls back after each look. */
  follow(owner: string, broker: Broker, refs: readonly PlacedRef[], onLook: () => void): void
  forget(owner: string): void
  /** What was found last, by the job's id; one that was not looked at yet is missing. */
  of(owner: string): ReadonlyMap<string, PlacedState>
  stop(): Promise<void>
}

type Followed = {
  readonly broker: Broker
  readonly refs: readonly PlacedRef[]
  readonly ids: string
  readonly onLook: () => void
  found: ReadonlyMap<string, PlacedState>
  intervalMs: number
  dueAtMs: number
}

const firstMs = 2_000
const mostMs = 30_000
/** What is due so soon is looked at together. */
const togetherMs = 1_000
const nothing: ReadonlyMap<string, PlacedState> = new Map()

export function createWhereabouts({ clock, log }: { readonly clock: Clock; readonly log: Logger }): Whereabouts {
  const owners = new Map<string, Followed>()
  let armed: { readonly timer: TimerHandle; readonly atMs: number } | undefined
  let looking: Promise<void> = Promise.resolve()

  const disarm = () => {
    if (armed !== undefined) clock.clearTimeout(armed.timer)
    armed = undefined
  }

  const arm = (atMs: number) => {
    if (armed !== undefined && armed.atMs <= atMs) return
    disarm()
    armed = { timer: clock.setTimeout(() => void (looking = pass()), atMs - clock.monotonicNow()), atMs }
  }

  async function pass(): Promise<void> {
    armed = undefined
    const nowMs = clock.monotonicNow()
    const due = [...owners].filter(([, { dueAtMs }]) => dueAtMs <= nowMs + togetherMs)
    for (const [, followed] of due) {
      followed.dueAtMs = nowMs + followed.intervalMs
      followed.intervalMs = Math.min(2 * followed.intervalMs, mostMs)
    }
    await Promise.all(due.map(([owner, followed]) => look(owner, followed)))
    if (owners.size > 0) arm([...owners.values()].reduce((earliest, { dueAtMs }) => Math.min(earliest, dueAtMs), Infinity))
  }

  async function look(owner: string, followed: Followed): Promise<void> {
    try {
      const states = await followed.broker.lookAtPlaced(followed.refs)
      if (owners.get(owner) !== followed) return
      followed.found = new Map(states.map((state) => [state.id, state]))
      followed.onLook()
    } catch (error) {
      log.debug({ owner, error: errorMessage(error) }, 'cannot look where jobs are, trying again later')
    }
  }

  return {
    follow(owner, broker, refs, onLook) {
      const before = owners.get(owner)
      const ids = refs.map(({ id }) => id).join('\n')
      if (before?.broker === broker && before.ids === ids) return
      // What was known of those that are still there stays until they are looked at again.
      const found = before?.found ?? nothing
      const dueAtMs = clock.monotonicNow() + firstMs
      owners.set(owner, { broker, refs, ids, onLook, found, intervalMs: 2 * firstMs, dueAtMs })
      arm(dueAtMs)
    },
    forget: (owner) => void owners.delete(owner),
    of: (owner) => owners.get(owner)?.found ?? nothing,
    async stop() {
      owners.clear()
      disarm()
      await looking
    },
  }
}
