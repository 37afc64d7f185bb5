/**
 * The operator is killed between any two statements that matter for a slot, once at every point, and started again; each time the world must
 * come out right. Runs are plain BullMQ workers'. The points and the seed are printed; SEED=… repeats which occurrence of each point it is.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { taskExecutions, taskSchedules } from '../../src/api/index.ts'
import type { WriteName } from '../../src/scheduling/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { draws, seed } from '../support/draws.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { startKubelet, type Kubelet } from '../support/kubelet.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import {
  applySchedule,
  connectRedis,
  createGraph,
  createHome,
  deleteExecutions,
  deleteSchedule,
  forgetLedger,
  graphOneAtATime,
  jobOneAtATime,
  idleQueue,
  ledgerOf,
  oneAtATime,
  placedAhead,
  queue,
  runsOf,
  settle,
  slotsRun,
  unacknowledgedJobs,
  unmarkedExecutions,
  until,
  untilLedger,
  untilMarked,
  untilMoreRan,
  untilNothingRemains,
  type Home,
  type ScheduleSpec,
} from '../support/schedule-home.ts'

/** While kills are waited for: time enough to place the slots of one edit before the next. */
const editEveryMs = 3_000
/** So many worlds at once, each with an operator of its own. */
const atOnce = 6
const folder = mkdtempSync(join(tmpdir(), 'taskmill-fault-'))
const recordFile = join(folder, 'runs')
let cluster: TestCluster
let redis: RedisServer
let commands: Redis
let client: TestCluster['client']
let worker: PlainWorker
let kubelet: Kubelet
const operators: OperatorProcess[] = []

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis({ appendonly: 'everysec' })])
  ;({ client } = cluster)
  commands = connectRedis(redis)
  worker = startPlainWorker({ redis, queues: [queue], recordFile })
  kubelet = startKubelet(cluster, recordFile, ['job'])
})

afterAll(async () => {
  await Promise.allSettled([...operators.map((operator) => operator.kill()), worker?.stop(), kubelet?.stop()])
  commands?.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
  rmSync(folder, { recursive: true })
})

function launch(namespace: string, killAt = ''): OperatorProcess {
  const operator = startOperator({
    cluster,
    namespaces: [namespace],
    env: { KILL_AT: killAt },
  })
  operators.push(operator)
  return operator
}

/** How often each point was reached. */
function pointsOf(operator: OperatorProcess): ReadonlyMap<string, number> {
  const told = operator.lines.filter((line) => line.msg === 'point' || line.msg === 'struck')
  const reached = told.filter((line) => !isOfRuns(String(line['point'])))
  return new Map(reached.map((line) => [String(line['point']), Number(line['count'])]))
}

const ahead = placedAhead(3)
const alone = oneAtATime(2)
const failing = oneAtATime(4, { task: { type: 'fail', retry: { maxRetries: 1, initialDelaySeconds: 0 } } })
/** No worker takes jobs of its queue. */
const stuck = oneAtATime(2, { pendingDeadlineSeconds: 1, task: { type: 'record', queue: idleQueue } })
/** Nor of this one's, until its template is corrected: the run that waits starts anew, and runs once. */
const misplaced = oneAtATime(2, { task: { type: 'record', queue: idleQueue } })
/** Nor on this one's: its slots become final by themselves, while those of the others mostly do with the ends of their runs. */
const unworked = placedAhead(3, { task: { type: 'record', queue: idleQueue } })

/** Each slot a TaskExecution. */
const graph = graphOneAtATime(2, 'sound')
/** Its runs never begin: the graph is to run at a broker that does not exist. */
const unbegun = graphOneAtATime(2, 'nowhere', { pendingDeadlineSeconds: 1 })

/** Its runs begin and never end: they are cancelled. */
const unending = graphOneAtATime(2, 'endless', { runDeadlineSeconds: 1, onDeadline: 'Cancel' })

/** No worker takes its jobs, and each slot replaces the one before. */
const replacing = oneAtATime(2, { concurrencyPolicy: 'Replace', missedRuns: 'Latest', task: { type: 'record', queue: idleQueue } })
/** Some of its slots wait for the run before. */
const queued = oneAtATime(1, { concurrencyPolicy: 'Queue' })

/** Its runs fail, so that its slots wait until a run by hand has succeeded. */
const chained = oneAtATime(2, { concurrencyPolicy: 'Queue', dependsOnPast: true, task: { type: 'fail' } })
const mended: ScheduleSpec = { ...chained, task: { type: 'record' } }

/** Each slot a Kubernetes Job, whose pods this test ends like a kubelet. */
const job = jobOneAtATime(2)
/** No pod of these ever comes up. */
const unready = jobOneAtATime(2, { pendingDeadlineSeconds: 1 })

/** Every write that there is: the compiler asks for one that is new, and the test for a way to reach it. */
const writes = {
  adopt: true,
  retime: true,
  intend: true,
  dispatch: true,
  placed: true,
  final: true,
  record: true,
  revoke: true,
  restart: true,
  cancel: true,
  settle: true,
  'taken back': true,
  free: true,
  regressed: true,
  marker: true,
  delete: true,
} as const satisfies Record<Exclude<WriteName, WriteOfPrimitive> | 'marker' | 'delete', true>
/** Of schedules that follow a CronJob or a job scheduler: see the tests of these. */
type WriteOfPrimitive = 'follow' | 'hand over'
const objects = [
  'create execution',
  'mark execution',
  'delete execution',
  'cancel execution',
  'create job',
  'acknowledge job',
  'delete job',
]
const declared = [...Object.keys(writes).map((write) => `write ${write}`), 'place', 'remove', 'cancel', 'acknowledge', ...objects].flatMap(
  (what) => [`before ${what}`, `after ${what}`],
)

/** What a run does after it was started is killed in the tests of runs. */
const isOfRuns = (point: string): boolean => / append |^(?:before|after) (?:delete|status|expire)$/u.test(point)

/**
 * All that can befall a schedule: placed ahead, one at a time, a failure, a run that no worker starts, one that starts anew, an edit with its take-back, a ledger that
 * is lost, a deletion. Resolves with what went wrong. Slots go on falling due for as long as `meanwhile` takes.
 */
async function live(home: Home, meanwhile: () => Promise<void>): Promise<readonly string[]> {
  const specs: Readonly<Record<string, ScheduleSpec>> = { ahead, alone, queued, failing, graph, job }
  const names = Object.keys(specs)
  await Promise.all([
    createGraph(home, 'sound'),
    createGraph(home, 'nowhere', { broker: 'nowhere' }),
    createGraph(home, 'endless', { of: idleQueue }),
  ])
  const createdAt = Object.fromEntries(
    await Promise.all(Object.entries(specs).map(async ([name, spec]) => [name, await applySchedule(home, name, spec)] as const)),
  )
  const misplacedAt = await applySchedule(home, 'misplaced', misplaced)
  const others = { doomed: ahead, stuck, unbegun, unending, replacing, chained, unready, unworked, forgotten: alone }
  await Promise.all(Object.entries(others).map(([name, spec]) => applySchedule(home, name, spec)))
  await Promise.all([
    ...['ahead', 'alone', 'queued', 'doomed', 'forgotten'].map((name) => untilMoreRan(home, name, 2)),
    ...['graph', 'job'].map((name) =>
      untilLedger(home, name, 'a success', (ledger) => ledger.lastSuccess !== undefined && ledger.dispatched > 1),
    ),
    ...['failing', 'stuck', 'unbegun', 'unending', 'unready'].map((name) =>
      untilLedger(home, name, 'a failure', (ledger) => ledger.consecutiveFailures > 0),
    ),
    untilLedger(home, 'chained', 'slots that wait after a failure', ({ open, lastFailure }) => {
      return lastFailure !== undefined && open.some(({ state }) => state === 'Waiting')
    }),
    untilLedger(home, 'replacing', 'a run that was replaced', ({ lastRun }) => lastRun?.reason === 'Replaced'),
    untilLedger(home, 'misplaced', 'a run that waits', (ledger) => ledger.active.length > 0 && isDecided(ledger)),
    untilLedger(home, 'unworked', 'two slots of which nobody ran the job', (ledger) => ledger.active.length >= 2),
    observe(client, taskSchedules, { ...home, name: 'forgotten' }, (object) => object?.status?.lastScheduleTime !== undefined),
  ])

  const before = await ledgerOf(home, 'ahead')
  const generations = new Set(before?.open.map((open) => open.generation))
  const edited: ScheduleSpec = { ...ahead, task: { type: 'record', payload: { edited: true } } }
  const corrected = oneAtATime(2)
  const createByHand = async () => {
    await applySchedule(home, 'chained', mended)
    // Otherwise the run may still be made from the template that fails.
    await observe(client, taskSchedules, { ...home, name: 'chained' }, (object) => {
      return object !== undefined && object.status?.observedGeneration === object.metadata.generation
    })
    await client.create(
      taskExecutions,
      { metadata: { namespace: home.namespace, name: 'by-hand' }, spec: { scheduleRef: { name: 'chained' } } } as never,
      { fieldManager: 'test' },
    )
  }
  await Promise.all([
    createByHand(),
    applySchedule(home, 'ahead', edited),
    applySchedule(home, 'misplaced', corrected),
    deleteSchedule(home, 'doomed'),
    forgetLedger(home, 'forgotten'),
  ])
  await untilLedger(home, 'ahead', 'the slots of the new generation', ({ open }) => {
    const placed = open.filter((each) => each.state === 'Placed')
    return placed.length > 3 && placed.every((each) => !generations.has(each.generation))
  })
  await untilLedger(home, 'forgotten', 'said to have regressed', ({ regressedAtMs }) => regressedAtMs !== undefined)
  await Promise.all(['ahead', 'alone', 'chained', 'forgotten', 'misplaced'].map((name) => untilMoreRan(home, name, 1)))
  await meanwhile()

  const edits: Readonly<Record<string, ScheduleSpec>> = { ahead: edited, misplaced: corrected }
  const accounts = await Promise.all(
    [...names, 'misplaced'].map(async (name) => {
      const spec = edits[name] ?? specs[name] ?? ahead
      return { name, ...(await settle(home, name, spec, name === 'misplaced' ? misplacedAt : (createdAt[name] ?? 0))) }
    }),
  )
  await until(`${home.namespace}: marks of what is recorded`, async () => {
    const left = await Promise.all([unmarkedExecutions(home, 'graph'), unacknowledgedJobs(home, 'job')])
    return left.flat().length === 0
  })
  // At rest, so that there is nothing else to write than whether it is to stay after its deletion.
  for (const deletionPolicy of ['Orphan', 'Delete'] as const) {
    await applySchedule(home, 'alone', { ...alone, suspend: true, deletionPolicy })
    await untilMarked(home, 'alone', deletionPolicy)
  }
  await Promise.all(
    [...names, 'misplaced', 'stuck', 'unbegun', 'unending', 'replacing', 'chained', 'unready', 'unworked', 'forgotten'].map((name) =>
      deleteSchedule(home, name),
    ),
  )
  await untilLedgersAreGone(home, ['graph', 'unbegun', 'unending', 'job', 'unready'])
  await deleteExecutions(home)
  const doubled = ['doomed', 'chained', 'forgotten'].filter((name) => runsOf(home, name).length > slotsRun(home, name).size)
  return [
    ...accounts.flatMap(({ name, wrong, missed }) => [
      ...wrong.map((each) => `${name}: ${each}`),
      ...('LedgerRegressed' in missed ? [`${name}: the ledger is said to have regressed`] : []),
    ]),
    ...doubled.map((name) => `${name}: a slot ran twice`),
    ...['stuck', 'replacing', 'unready', 'unworked'].flatMap((name) =>
      slotsRun(home, name).size > 0 ? [`${name}: ran, though nobody works on its queue`] : [],
    ),
    ...(await untilNothingRemains(home).then(
      () => [],
      (error: unknown) => [String(error)],
    )),
  ]
}

const isDecided = ({ open }: NonNullable<Awaited<ReturnType<typeof ledgerOf>>>): boolean => open.every(({ state }) => state === 'Final')

/** Nothing starts a run any more. */
const untilLedgersAreGone = (home: Home, names: readonly string[]): Promise<void> =>
  until(`${home.namespace}: the end of ${names.join(' and ')}`, async () => {
    const ledgers = await Promise.all(names.map((name) => ledgerOf(home, name)))
    return ledgers.every((ledger) => ledger === undefined)
  })

const homeOf = (name: string): Home => ({ client, commands, namespace: cluster.nameOf(name), recordFile })
/** How often each point was reached when nothing was killed: in all, and before anything was suspended or, but for one, deleted. */
let points: ReadonlyMap<string, number>
let early: ReadonlyMap<string, number>

it('nothing is killed: all points are reached', async () => {
  const home = await createHome(homeOf('alive'), redis)
  const operator = launch(home.namespace)
  const wrong = await live(home, async () => {
    early = pointsOf(operator)
  })
  expect(wrong).toEqual([])
  await operator.stop()
  points = pointsOf(operator)
  console.log(`${points.size} points: ${[...points].map(([point, count]) => `${point} (${count})`).join(', ')}`)
  expect([...points.keys()].toSorted()).toEqual(declared.toSorted())
})

/** Where an operator is to be killed: at that point, the n-th time that it is reached. */
type Strike = { readonly point: string; readonly time: number }

/**
 * One kill for each world, and after it one at a point that is reached only after something was suspended or deleted: an early point may come
 * once, so that no second one can be waited for.
 */
function chainsOf(strikes: readonly Strike[]): readonly (readonly Strike[])[] {
  const isEarly = ({ point, time }: Strike) => time <= (early.get(point) ?? 0)
  const first = strikes.filter(isEarly)
  const late = strikes.filter((strike) => !isEarly(strike))
  const count = Math.max(first.length, late.length)
  return Array.from({ length: count }, (_, index) => [...first.slice(index, index + 1), ...late.slice(index, index + 1)])
}

it('killed at every point, and started again', { timeout: 600_000 }, async () => {
  const rng = random(seed)
  // Not only the first time.
  const strikes = [...points].map(([point, count]) => ({
    point,
    time: 1 + Math.floor(rng() * Math.min(draws(2, 5), Math.ceil(count / 3))),
  }))
  const left = chainsOf(strikes)
  const outcomes: Record<string, readonly string[]> = {}
  async function run(chain: readonly Strike[], index: number): Promise<void> {
    const home = await createHome(homeOf(`killed-${index}`), redis)
    const struck = chain.map(() => false)
    let operator: OperatorProcess | undefined
    /** Ends with a process that is not killed. */
    async function lead(): Promise<void> {
      for (const [at, { point, time }] of chain.entries()) {
        const doomed = launch(home.namespace, `${point}#${time}`)
        operator = doomed
        await doomed.exited
        struck[at] = doomed.lines.some((line) => line.msg === 'struck')
      }
      operator = launch(home.namespace)
    }
    const leading = lead()
    // How many writes a slot takes depends on what is known when: points of slots are waited for, the others come with a deletion.
    const isReached = () => chain.every((strike, at) => struck[at] === true || strike.time > (early.get(strike.point) ?? 0))
    let editedAtMs = Date.now()
    const untilReached = () =>
      until(`the kills ${JSON.stringify(chain)}`, async () => {
        if (isReached()) return true
        // The points of an edit come once: if a former process has passed them, the next one needs another edit.
        if (Date.now() > editedAtMs + editEveryMs) {
          editedAtMs = Date.now()
          await applySchedule(home, 'ahead', { ...ahead, task: { type: 'record', payload: { editedAtMs } } })
        }
        return false
      })
    const wrong = await live(home, untilReached).catch((error: unknown) => [String(error)])
    const name = chain.map(({ point, time }) => `${point}#${time}`).join(', ')
    // A point that is not reached by now never is: each kill makes room for the next process, and the last one stays.
    const missed = chain.filter((_, at) => struck[at] !== true)
    for (const _ of missed) {
      const doomed = operator
      await doomed?.kill()
      await until('another process', () => operator !== doomed)
    }
    await leading
    await operator?.stop()
    outcomes[name] = [...wrong, ...missed.map(({ point }) => `${point} was never reached`)]
  }
  const chains = left.map((chain, index) => ({ chain, index }))
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = chains.shift(); next !== undefined; next = chains.shift()) await run(next.chain, next.index)
    }),
  )
  expect(Object.fromEntries(Object.entries(outcomes).filter(([, wrong]) => wrong.length > 0))).toEqual({})
  console.log(`killed at ${Object.keys(outcomes).join('; ')}`)
})
