/** For tests: a broker in which nothing goes wrong, and a leader on it. */
import type { Slot } from '../contract/index.ts'
import { withCalendars } from './calendars.ts'
import type { CancelResult, Knowledge, Ledger, RunObservation, RunOutcome, SchedulePlan } from './ledger.ts'
import { nextStep } from './next-step.ts'
import { parseTiming, type Timing } from './timing.ts'

export const minute = 60
/** The creation of every schedule here; a slot is due each minute after it. */
export const start = 600_000
export const slot = (index: number): Slot => start + index * minute
export const everyMinute: Timing = { everySeconds: minute }

export function planOf(change: Partial<SchedulePlan> = {}): SchedulePlan {
  const timing = change.timing ?? everyMinute
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  const rest = { suspended: false, concurrencyPolicy: 'Allow', missedRuns: 'Latest', missedRunsLimit: 10, generation: 'a' } as const
  const slots = change.calendars === undefined ? parsed.slots : withCalendars(parsed.slots, change.calendars)
  return { ...rest, seed: 'acme/digest', epoch: 1, createdAtMs: start * 1000, ...change, timing, slots }
}

function cancelledBy(job: RunObservation | undefined, isStoppable: boolean): CancelResult {
  if (job === undefined) return 'Absent'
  if (job.state === 'Ended') return 'Ended'
  return job.state === 'Active' && !isStoppable ? 'Running' : 'Cancelled'
}

/** A broker in which nothing goes wrong, and a leader that carries out each step until it has to wait. */
export function home() {
  const jobs = new Map<Slot, RunObservation>()
  const ended: RunOutcome[] = []
  /** Slots of which the present template makes nothing. */
  const refused = new Set<Slot>()
  /** Slots whose jobs were not found some time ago. */
  const missing = new Set<Slot>()
  const refusedEnds = (seen: ReadonlySet<Slot>, at: number): readonly RunOutcome[] =>
    [...seen]
      .filter((each) => each <= at && world.ledger?.open.some((open) => open.slot === each))
      .map((each) => ({ slot: each, succeeded: false, reason: 'Refused', finishedAtMs: at * 1000 }))
  const world = {
    refused,
    missing,
    ledger: undefined as Ledger | undefined,
    jobs,
    untilMs: undefined as number | undefined,
    /** Its runs can be stopped while they are active, as a Kubernetes Job can. */
    isStoppable: true,
    /** Everything there is to do at a moment (seconds); answers what was done. A new leader each time: it remembers nothing. */
    lead(at: number, plan = planOf()): readonly string[] {
      const placed = new Set<Slot>()
      const seen = new Set<Slot>()
      const removed = new Map<Slot, 'Removed' | 'Started' | 'Absent'>()
      const cancelled = new Map<Slot, CancelResult>()
      const looked = new Map<Slot, RunObservation>()
      const done: string[] = []
      for (let count = 0; count < 300; count++) {
        const knowledge: Knowledge = {
          placed,
          refused: seen,
          removed,
          cancelled,
          looked,
          ended: [...ended, ...refusedEnds(seen, at)],
          missing,
        }
        const step = nextStep(world.ledger, plan, knowledge, at * 1000)
        world.untilMs = step.kind === 'Wait' ? step.untilMs : undefined
        if (step.kind === 'Wait') return done
        const refusing = step.kind === 'Write' ? [...(step.places ?? []), ...(step.makes ?? [])].filter((each) => refused.has(each)) : []
        for (const each of refusing) seen.add(each)
        // Nothing was written: the step is asked for again.
        if (refusing.length > 0) continue
        done.push(step.kind === 'Write' ? step.what : step.kind)
        if (step.kind === 'Write') {
          const isInWindow = at * 1000 >= (step.notBeforeMs ?? 0) && at * 1000 < (step.beforeMs ?? Infinity)
          if (!isInWindow) throw new Error(`the broker would refuse the write "${step.what}"`)
          world.ledger = step.ledger
          for (const each of step.places ?? []) {
            removed.delete(each)
            if (!jobs.has(each)) jobs.set(each, { state: 'Waiting', isUntouched: true })
          }
        } else if (step.kind === 'Delete') {
          world.ledger = undefined
          return done
        } else if (step.kind === 'Follow') {
          throw new Error('there is no primitive here')
        } else {
          for (const each of step.slots) {
            const job = jobs.get(each)
            if (step.kind === 'Place' && refused.has(each)) seen.add(each)
            else if (step.kind === 'Place') {
              placed.add(each)
              if (job === undefined) jobs.set(each, { state: 'Waiting', isUntouched: true })
            } else if (step.kind === 'Remove') {
              seen.delete(each)
              removed.set(
                each,
                job === undefined ? 'Absent' : job.state === 'Waiting' && job.startedAtMs === undefined ? 'Removed' : 'Started',
              )
              if (removed.get(each) === 'Removed') jobs.delete(each)
            } else if (step.kind === 'Cancel') {
              cancelled.set(each, cancelledBy(job, world.isStoppable))
              if (cancelled.get(each) === 'Cancelled') jobs.delete(each)
            } else if (step.kind === 'Look') looked.set(each, job ?? { state: 'Absent' })
            else {
              seen.delete(each)
              ended.splice(0, ended.length, ...ended.filter((run) => run.slot !== each))
            }
          }
        }
      }
      throw new Error(`does not come to rest: ${done.slice(-10).join(', ')}`)
    },
    begin(each: Slot, startedAtMs = each * 1000): void {
      jobs.set(each, { state: 'Active', startedAtMs })
    },
    end(each: Slot, succeeded = true): void {
      jobs.set(each, { state: 'Ended', startedAtMs: each * 1000 })
      const reason = succeeded ? 'Succeeded' : 'AttemptsExhausted'
      ended.push({ slot: each, succeeded, reason, ...(succeeded ? {} : { message: 'timeout' }), finishedAtMs: (each + 1) * 1000 })
    },
    get placed(): readonly Slot[] {
      return [...jobs.keys()].toSorted((a, b) => a - b)
    },
    missed(reason: keyof Ledger['missed']) {
      return world.ledger?.missed[reason]
    },
  }
  return world
}

export const forbid = { concurrencyPolicy: 'Forbid' } as const
/** No queue keeps it and no write starts it: each slot is decided when it is due, and intended first. */
export const graph = { generation: 'a/.execution' }
export const nothingKnown: Knowledge = {
  placed: new Set(),
  refused: new Set(),
  removed: new Map(),
  cancelled: new Map(),
  looked: new Map(),
  ended: [],
}
