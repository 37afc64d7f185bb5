import { describe, expect, it } from 'vitest'
import type { Broker, JobSchedulerPut, JobSchedulerReading, JobSchedulerSpec } from '../../broker/index.ts'
import { type Ledger, nextStep, type SchedulePlan } from '../../scheduling/index.ts'
import { createJobScheduler, createSchedulerJobs, type JobSchedulerMemory } from './index.ts'

const own = 'tm/default/team/digest'
const minute = 60
const start = 600_000
const slots = {
  next: (after: number) => (Math.floor(after / minute) + 1) * minute,
  between: (after: number, until: number, limit: number) => {
    const newest = Math.floor(until / minute)
    const oldest = Math.max(Math.floor(after / minute) + 1, newest - limit + 1)
    return Array.from({ length: Math.max(0, newest - oldest + 1) }, (_, index) => (oldest + index) * minute)
  },
}
const timing = { everySeconds: minute, engine: 'BullMQ', schedulerQueue: 'mail' } as const
const plan: SchedulePlan = {
  timing,
  slots,
  seed: 'team/digest',
  suspended: false,
  concurrencyPolicy: 'Allow',
  missedRuns: 'Latest',
  missedRunsLimit: 10,
  generation: 'a/.scheduler:mail',
  epoch: 1,
  createdAtMs: start * 1000,
}
const spec: JobSchedulerSpec = { timing: { everyMs: 60_000, offsetMs: 0 }, name: 'send', data: {}, attempts: 1, owner: own }
const adopted: Ledger = {
  v: 2,
  timing: { ...timing, suspended: false },
  cursor: start,
  open: [],
  active: [],
  dispatched: 0,
  consecutiveFailures: 0,
  missed: {},
}
const nothing = {
  placed: new Set<number>(),
  refused: new Set<number>(),
  removed: new Map(),
  cancelled: new Map(),
  looked: new Map(),
  ended: [],
}

/** A queue with one job scheduler at most, and the ledger of a schedule. */
function world({ adopt }: { readonly adopt?: string | undefined } = {}) {
  const there = {
    now: start,
    plan,
    ledger: adopted,
    stored: undefined as JobSchedulerReading['stored'],
    owner: undefined as string | undefined,
  }
  const puts: JobSchedulerPut[] = []
  const broker = {
    readJobSchedulers: async () => [{ stored: there.stored, owner: there.owner, jobs: [], brokerTimeMs: there.now * 1000 }],
    putJobScheduler: async (put: JobSchedulerPut) => (puts.push(put), 'Done'),
    async removeJobScheduler() {
      there.owner = undefined
      return { outcome: 'Absent' }
    },
  } as unknown as Broker
  const memory: JobSchedulerMemory = {}
  const nowMs = (): number => there.now * 1000
  const deps = {
    broker,
    proof: { dispatcher: 'd', epoch: 1, holder: 'h' },
    ledger: own,
    doneQueue: 'done',
    scheduler: 'digest',
    nowMs,
  } as const
  const primitive = () =>
    createJobScheduler({
      ...deps,
      plan: there.plan,
      driftPolicy: 'Repair',
      adopt,
      ledgerOf: () => there.ledger,
      jobs: createSchedulerJobs({ ...deps, spec }),
      pendingCompletions: () => [],
      memory,
    })
  /** Carries out steps until there is nothing to do, and names them. */
  const lead = async (): Promise<readonly string[]> => {
    const done: string[] = []
    while (done.length < 20) {
      const followed = await primitive().observe(there.ledger, nowMs())
      const step = nextStep(there.ledger, there.plan, { ...nothing, followed }, nowMs())
      if (step.kind === 'Wait') return done
      done.push(step.kind === 'Write' ? step.what : step.kind === 'Follow' ? step.act : step.kind)
      if (step.kind === 'Write') there.ledger = step.ledger
      else if (step.kind === 'Follow' && step.act === 'Stop') await primitive().stop()
      else if (step.kind === 'Follow') return (await primitive().start(step.after), done)
    }
    throw new Error(`does not come to rest: ${done.join(', ')}`)
  }
  return { there, puts, memory, lead }
}

const theirs = (next: number): NonNullable<JobSchedulerReading['stored']> => ({
  version: `${next}/a`,
  nextMs: next * 1000,
  differences: [],
  isAsWritten: false,
})

describe('a job scheduler of somebody else', () => {
  it.each([
    ['is left alone', undefined, undefined],
    ['shows what would change', undefined, 'DryRun'],
    ['is of another schedule', 'tm/default/other/digest', undefined],
  ])('that %s runs its own slots: once it is removed, none of them is made up for', async (_, owner, adopt) => {
    const { there, puts, memory, lead } = world({ adopt })
    there.owner = owner
    for (let index = 0; index < 4; index++) {
      there.stored = theirs(start + (index + 1) * minute)
      there.now = start + index * minute + 1
      await lead()
      expect(memory.withheld?.reason).toBe(adopt === 'DryRun' ? 'AdoptionDryRun' : 'NameTaken')
    }
    expect(there.ledger).toMatchObject({ cursor: start + 3 * minute + 1, dispatched: 0, missed: {} })
    there.stored = undefined
    there.now += 20
    expect(await lead()).toEqual(['Start'])
    expect(puts).toMatchObject([{ nextMs: (start + 4 * minute) * 1000 }])
  })

  it('that is taken over runs for the schedule from the next slot on', async () => {
    const { there, puts, lead } = world({ adopt: 'Confirm' })
    there.stored = theirs(start + 4 * minute)
    there.now = start + 3 * minute + 20
    expect(await lead()).toEqual(['adopt', 'Start'])
    expect(there.ledger).toMatchObject({ cursor: there.now, dispatched: 0, missed: {} })
    expect(puts).toMatchObject([{ nextMs: (start + 4 * minute) * 1000 }])
  })
})

it('a value of the annotation that means nothing is said', async () => {
  const { there, memory, lead } = world({ adopt: 'Yes' })
  there.stored = theirs(start + minute)
  await lead()
  expect(memory.withheld?.message).toContain('The annotation taskmill.dev/adopt is "Yes"; it may be DryRun or Confirm.')
})

it('a job scheduler that somebody removed is no longer noted as the schedule’s once that changes its timing', async () => {
  const { there, lead } = world()
  there.owner = own
  there.plan = { ...plan, timing: { ...timing, everySeconds: 7_200 } }
  there.now = start + 5
  expect(await lead()).toEqual(['Stop', 'retime', 'Start'])
  expect(there.owner).toBeUndefined()
})
