import type { Broker, DispatchProof, JobSchedulerReading, JobSchedulerSpec, SchedulerJob } from '../../broker/index.ts'
import { schedulerJobId, type Slot } from '../../contract/index.ts'

/** The end of a run that was read from its job; `Removed`: the job is gone, and nothing is known about it. */
export type SchedulerRunEnd = { readonly slot: Slot } & NonNullable<SchedulerJob['end']>

/** What one visit knows of a job scheduler and its jobs: read once, and again after `forget`. */
export type SchedulerJobs = {
  /** With the jobs of these times (Unix ms), and of those that were remembered. */
  read(queue: string, jobsAt: readonly number[]): Promise<JobSchedulerReading>
  forget(): void
  readonly spec: JobSchedulerSpec | undefined
  /** A job that stays in the queue although no scheduler names it. */
  remember(atMs: number): void
  /** From now on the ends of these runs arrive in the done queue. Returns those for which that is so, and the ends of those that had ended before. */
  follow(
    runs: readonly { readonly slot: Slot; readonly queue: string }[],
  ): Promise<{ readonly ends: readonly SchedulerRunEnd[]; readonly followed: readonly Slot[] }>
}

export type SchedulerJobsDeps = {
  readonly broker: Broker
  readonly proof: DispatchProof
  readonly ledger: string
  readonly doneQueue: string
  /** Id of the job scheduler. */
  readonly scheduler: string
  /** What it is compared with; undefined: the schedule wants none. */
  readonly spec: JobSchedulerSpec | undefined
  /** On the broker's clock. */
  readonly nowMs: () => number
}

export function createSchedulerJobs({ broker, proof, ledger, doneQueue, scheduler, spec, nowMs }: SchedulerJobsDeps): SchedulerJobs {
  let known: { readonly queue: string; readonly jobsAt: readonly number[]; readonly reading: Promise<JobSchedulerReading> } | undefined
  let remembered: readonly number[] = []

  async function readOnce(queue: string, jobsAt: readonly number[]): Promise<JobSchedulerReading> {
    const [reading] = await broker.readJobSchedulers([{ queue, id: scheduler, doneQueue, jobsAt, spec }])
    if (reading === undefined) throw new TypeError('a broker answered nothing to a read')
    return reading
  }

  return {
    spec,
    read(queue, jobsAt) {
      const isKnown = known?.queue === queue && jobsAt.every((each) => known?.jobsAt.includes(each))
      if (known !== undefined && isKnown) return known.reading
      const all = [...new Set([...jobsAt, ...remembered])]
      known = { queue, jobsAt: all, reading: readOnce(queue, all) }
      return known.reading
    },
    forget: () => (known = undefined),
    remember(atMs) {
      remembered = [...remembered, atMs]
      known = undefined
    },
    async follow(runs) {
      if (runs.length === 0) return { ends: [], followed: [] }
      const jobs = runs.map(({ slot, queue }) => ({
        queue,
        id: schedulerJobId(scheduler, slot * 1000),
        doneQueue,
        done: { v: 1, ledger, slot } as const,
      }))
      if ((await broker.followJobs(jobs, nowMs(), proof)) === 'Fenced') return { ends: [], followed: [] }
      const queues = Map.groupBy(runs, ({ queue }) => queue)
      const found = await Promise.all(
        [...queues].map(async ([queue, its]) => {
          const slots = new Set(its.map(({ slot }) => slot))
          const reading = await readOnce(
            queue,
            its.map(({ slot }) => slot * 1000),
          )
          return reading.jobs.filter(({ atMs }) => slots.has(atMs / 1000))
        }),
      )
      const states = new Map(found.flat().map((job) => [job.atMs / 1000, job]))
      return {
        ends: [...states].flatMap(([slot, { end, state, isFollowed }]) => {
          if (isFollowed) return []
          if (state === 'Absent') return [{ slot, outcome: 'Removed' as const }]
          return end === undefined ? [] : [{ slot, ...end }]
        }),
        followed: [...states].flatMap(([slot, { isFollowed }]) => (isFollowed ? [slot] : [])),
      }
    },
  }
}
