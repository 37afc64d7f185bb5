/**
 * Edits, suspensions and deletions at moments around a slot, while the operator is killed now and then: no slot runs that was not due when its
 * time came, none runs late because of an edit, none twice, none from a template that was replaced before, and each that was due for certain has
 * run or is missed. The seed is printed; SEED=… repeats what happens.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { taskSchedules } from '../../src/api/index.ts'
import type { Ledger } from '../../src/scheduling/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { draws, seed } from '../support/draws.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import {
  applySchedule,
  connectRedis,
  createHome,
  deleteSchedule,
  ledgerOf,
  placedAhead,
  queue,
  remainsOf,
  runsOf,
  slotsDue,
  until,
  untilLedger,
  type Home,
  type Run,
} from '../support/schedule-home.ts'

/** What was asked for at one time. `everySeconds` undefined: it was deleted. The times are of the one clock of this machine. */
type Regime = {
  readonly everySeconds: number | undefined
  readonly isSuspended: boolean
  readonly version: number
  /** A TaskSchedule of this name came into being. */
  readonly isCreation?: true
  /** Before the API server was asked for it. */
  readonly sentMs: number
  /** When it had been adopted for certain; undefined: nobody waited for that. */
  adoptedMs?: number
}

const policies = ['Allow', 'Forbid', 'Queue', 'Replace'] as const
const lives = draws(8, 24)
const changes = draws(7, 25)

const folder = mkdtempSync(join(tmpdir(), 'taskmill-edits-'))
let cluster: TestCluster
let redis: RedisServer
let worker: PlainWorker
let home: Home
let operator: OperatorProcess

const launch = (): OperatorProcess => (operator = startOperator({ cluster, namespaces: [home.namespace] }))

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  const recordFile = join(folder, 'runs')
  writeFileSync(recordFile, '')
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis({ appendonly: 'everysec' })])
  home = await createHome({ client: cluster.client, commands: connectRedis(redis), namespace: cluster.nameOf('edits'), recordFile }, redis)
  worker = startPlainWorker({ redis, queues: [queue], recordFile })
  launch()
})

afterAll(async () => {
  await Promise.allSettled([operator?.kill(), worker?.stop()])
  home?.commands.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
  rmSync(folder, { recursive: true })
})

it('no edit, suspension or deletion that races with a slot makes it run late, twice, or although it was not due', async () => {
  await operator.logged('leading')
  const names = Array.from({ length: lives }, (_, index) => `life-${index}-${policies[index % policies.length]?.toLowerCase()}`)
  let isOver = false
  const killing = killOperator(random(seed), () => isOver)
  const stories = await Promise.all(names.map((name, index) => live(name, policies[index % policies.length]!, random(seed + 1 + index))))
  isOver = true
  console.log(`${lives} schedules of ${changes} changes; the operator was killed ${await killing} times`)

  const faults = await Promise.all(names.map((name, index) => faultsOf(name, stories[index] ?? [])))
  expect(faults.flat()).toEqual([])
  // Nothing is left in a queue that would run later.
  expect((await remainsOf(home)).filter((each) => /^(?:delayed|waiting|active) /u.test(each))).toEqual([])
  const ran = names.reduce((sum, name) => sum + runsOf(home, name).length, 0)
  console.log(`${ran} slots ran`)
  expect(ran).toBeGreaterThan(lives)
})

async function killOperator(rng: () => number, isOver: () => boolean): Promise<number> {
  let kills = 0
  while (!isOver()) {
    await operator.logged('leading')
    await sleep(1_000 + rng() * 5_000)
    await operator.kill()
    launch()
    kills += 1
  }
  return kills
}

/** Creates a schedule and changes it again and again, mostly without a wait; it is suspended at the end. */
async function live(name: string, concurrencyPolicy: (typeof policies)[number], rng: () => number): Promise<readonly Regime[]> {
  const story: Regime[] = []
  const missedRuns = concurrencyPolicy === 'Replace' ? 'Latest' : 'All'
  const apply = async (everySeconds: number, version: number, suspend: boolean, isCreation?: true): Promise<void> => {
    const regime: Regime = { everySeconds, isSuspended: suspend, version, sentMs: Date.now(), ...(isCreation && { isCreation }) }
    story.push(regime)
    const task = { type: 'record', payload: { version } } as const
    await applySchedule(home, name, placedAhead(everySeconds, { concurrencyPolicy, missedRuns, suspend, task }))
    if (rng() < 0.7) await untilAdopted(name, everySeconds, suspend, regime)
  }
  let [everySeconds, version, isSuspended] = [1, 1, false]
  await apply(everySeconds, version, isSuspended, true)
  for (let change = 1; change <= changes; change += 1) {
    await untilAroundSlot(rng)
    const choice = rng()
    if (choice < 0.15) {
      await removed(name, story)
      if (rng() < 0.5) await untilAroundSlot(rng)
      isSuspended = false
      version += 1
      await apply(everySeconds, version, isSuspended, true)
    } else {
      if (choice < 0.45) everySeconds = 1 + Math.floor(rng() * 3)
      else if (choice < 0.7) version += 1
      else isSuspended = !isSuspended
      await apply(everySeconds, version, isSuspended)
    }
  }
  const last: Regime = { everySeconds, isSuspended: true, version, sentMs: Date.now() }
  story.push(last)
  await applySchedule(
    home,
    name,
    placedAhead(everySeconds, { concurrencyPolicy, missedRuns, suspend: true, task: { type: 'record', payload: { version } } }),
  )
  await untilAdopted(name, everySeconds, true, last)
  return story
}

/** Up to two seconds later, and within 300 ms of a full second: there are the slots. */
async function untilAroundSlot(rng: () => number): Promise<void> {
  const atMs = Math.ceil(Date.now() / 1_000 + rng() * 2) * 1_000 + (rng() - 0.5) * 600
  await sleep(Math.max(0, atMs - Date.now()))
}

/** Until status and ledger are of what is asked for, and nothing of what was before is still to be taken back. */
async function untilAdopted(name: string, everySeconds: number, suspend: boolean, regime: Regime): Promise<void> {
  const { namespace, client } = home
  const { metadata } = await client.get(taskSchedules, namespace, name)
  await observe(
    client,
    taskSchedules,
    { namespace, name },
    (object) => (object?.status?.observedGeneration ?? 0) >= (metadata.generation ?? 1),
  )
  await untilLedger(home, name, 'adopted', ({ timing, open }) => {
    const isThis = 'everySeconds' in timing && timing.everySeconds === everySeconds && timing.suspended === suspend
    return isThis && open.every(({ state }) => state !== 'Revoking')
  })
  regime.adoptedMs = Date.now()
}

async function removed(name: string, story: Regime[]): Promise<void> {
  const regime: Regime = { everySeconds: undefined, isSuspended: true, version: 0, sentMs: Date.now() }
  story.push(regime)
  await deleteSchedule(home, name)
  await until(`the end of ${name}`, async () => (await ledgerOf(home, name)) === undefined)
  regime.adoptedMs = Date.now()
}

/** What should not be, in words. */
async function faultsOf(name: string, story: readonly Regime[]): Promise<readonly string[]> {
  await untilLedger(home, name, 'at rest', ({ open, active }) => active.length === 0 && open.every(({ state }) => state === 'Final'))
  const ledger = await ledgerOf(home, name)
  if (ledger === undefined) return [`${name} has no ledger`]
  const runs = runsOf(home, name)
  const slots = runs.map(({ slot }) => slot)
  const twice = slots.filter((slot, index) => slots.indexOf(slot) !== index).map((slot) => `${name}: slot ${slot} ran twice`)
  const ghosts = runs
    .filter((run) => !story.some((_, index) => mayRun(run, story, index)))
    .map(({ slot }) => `${name}: slot ${slot} was not due`)
  return [...twice, ...ghosts, ...miscounted(name, story.slice(story.findLastIndex(({ isCreation }) => isCreation === true)), ledger)]
}

/** Of a schedule since it was created last: whether its ledger counts each slot once. What is due now, while it is suspended, is not counted yet. */
function miscounted(name: string, story: readonly Regime[], ledger: Ledger): readonly string[] {
  const countDue = (boundsOf: typeof boundsOfPossible): number =>
    new Set(
      story
        .slice(0, -1)
        .flatMap(({ everySeconds }, index) => (everySeconds === undefined ? [] : slotsDue(everySeconds, ...boundsOf(story, index)))),
    ).size
  const [certain, possible] = [countDue(boundsOfCertain), countDue(boundsOfPossible)]
  const missed = Object.values(ledger.missed).reduce((total, { count }) => total + count, 0)
  const decided = ledger.dispatched + missed
  const ran = runsOf(home, name).filter(({ slot }) => slot > Math.floor((story[0]?.sentMs ?? 0) / 1_000)).length
  const isReplaced = name.endsWith('replace')
  return [
    ...(decided >= certain && decided <= possible ? [] : [`${name}: ${decided} slots were decided, ${certain} to ${possible} were due`]),
    ...((isReplaced ? ran <= ledger.dispatched : ran === ledger.dispatched)
      ? []
      : [`${name}: ${ledger.dispatched} slots were dispatched, ${ran} ran`]),
  ]
}

/** Whether the run may be one of this regime. Its template may be a later one, if it started late. */
function mayRun({ slot, version = 0 }: Run, story: readonly Regime[], index: number): boolean {
  const regime = story[index]
  if (regime?.everySeconds === undefined || regime.isSuspended || slot % regime.everySeconds !== 0) return false
  const [after, upTo] = boundsOfPossible(story, index)
  return slot > after && slot <= upTo && version >= regime.version
}

/** In seconds: the slots that may be due by this regime: after it was asked for, and until a later one was adopted. */
function boundsOfPossible(story: readonly Regime[], index: number): readonly [number, number] {
  const { sentMs } = story[index]!
  const endMs = story.slice(index + 1).find(({ adoptedMs }) => adoptedMs !== undefined)?.adoptedMs ?? Infinity
  return [Math.floor(sentMs / 1_000), Math.floor(Math.min(endMs, Date.now()) / 1_000)]
}

/** In seconds: the slots that are due by this regime alone: after it was adopted, and until another one was asked for. */
function boundsOfCertain(story: readonly Regime[], index: number): readonly [number, number] {
  const { adoptedMs = Infinity } = story[index]!
  const endMs = story[index + 1]?.sentMs ?? Infinity
  return [Math.floor(adoptedMs / 1_000), Math.floor(Math.min(endMs, Date.now()) / 1_000)]
}
