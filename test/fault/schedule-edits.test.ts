/**
 * Edits, suspensions, deletions and changes of the engine at moments around a slot, while the operator is killed now and then: no slot runs that
 * was not due when its time came, none runs late because of an edit, none twice, none from a template that was replaced before, none by an engine
 * that nobody asked for, and each that was due for certain has run or is missed. With `make soak`, also beside CronJobs, which have a slot each
 * minute. The seed is printed; SEED=… repeats what happens.
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
import { type Kubelet, startKubelet } from '../support/kubelet.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import {
  applySchedule,
  connectRedis,
  createHome,
  deleteSchedule,
  jobOneAtATime,
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
  type ScheduleSpec,
} from '../support/schedule-home.ts'

type Engine = NonNullable<ScheduleSpec['engine']>

/** What people edit. */
type Wish = { readonly everySeconds: number; readonly version: number; readonly isSuspended: boolean; readonly engine: Engine }

/** What was asked for at one time; without a wish it was deleted. The times are of the one clock of this machine. */
type Regime = {
  readonly wish: Wish | undefined
  /** A TaskSchedule of this name came into being. */
  readonly isCreation?: true
  /** Before the API server was asked for it. */
  readonly sentMs: number
  /** When it had been adopted for certain; undefined: nobody waited for that. */
  adoptedMs?: number
}

/** `other`: the engine that it changes to, and from. Only what that can do is asked of it. */
type Kind = {
  readonly name: string
  readonly other?: Engine
  /** Seconds between the moments around which it is edited. */
  readonly beat: number
  readonly changes: number
  readonly specOf: (wish: Wish) => ScheduleSpec
}

const ofTasks = (name: string, policy: Partial<ScheduleSpec>, other?: Engine): Kind => ({
  name,
  ...(other && { other }),
  beat: 1,
  changes: draws(7, 25),
  specOf: ({ everySeconds, version }) => placedAhead(everySeconds, { ...policy, task: { type: 'record', payload: { version } } }),
})

const kinds: readonly Kind[] = [
  ofTasks('allow', { concurrencyPolicy: 'Allow' }),
  ofTasks('forbid', { concurrencyPolicy: 'Forbid' }),
  ofTasks('queue', { concurrencyPolicy: 'Queue' }),
  ofTasks('replace', { concurrencyPolicy: 'Replace', missedRuns: 'Latest' }),
  ofTasks('scheduler', { concurrencyPolicy: 'Allow', missedRuns: 'Latest' }, 'BullMQ'),
]
const kindsOfSoak: readonly Kind[] = [
  {
    name: 'cron-job',
    other: 'CronJob',
    beat: 60,
    changes: 8,
    specOf: ({ version }) => jobOneAtATime(60, { schedules: ['* * * * *'], missedRuns: 'Latest' }, version),
  },
]

const lives = [...kinds, ...draws<readonly Kind[]>([], kindsOfSoak)].flatMap((kind) =>
  Array.from({ length: draws(2, 6) }, (_, index) => ({ kind, name: `${kind.name}-${index}` })),
)

const folder = mkdtempSync(join(tmpdir(), 'taskmill-edits-'))
let cluster: TestCluster
let redis: RedisServer
let worker: PlainWorker
let kubelet: Kubelet
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
  kubelet = startKubelet(
    cluster,
    recordFile,
    lives.map(({ name }) => name),
  )
  launch()
})

afterAll(async () => {
  await Promise.allSettled([operator?.kill(), worker?.stop(), kubelet?.stop()])
  home?.commands.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
  rmSync(folder, { recursive: true })
})

it('no edit that races with a slot makes it run late, twice, or although it was not due', { timeout: 1_800_000 }, async () => {
  await operator.logged('leading')
  let isOver = false
  const killing = killOperator(random(seed), () => isOver)
  const stories = await Promise.all(lives.map(({ name, kind }, index) => live(name, kind, random(seed + 1 + index))))
  isOver = true
  const changes = stories.reduce((sum, story) => sum + story.length, 0)
  console.log(`${lives.length} schedules, ${changes} changes; the operator was killed ${await killing} times`)

  const faults = await Promise.all(lives.map(({ name, kind }, index) => faultsOf(name, kind, stories[index] ?? [])))
  expect(faults.flat()).toEqual([])
  // Nothing is left in a queue that would run later.
  expect((await remainsOf(home)).filter((each) => /^(?:delayed|waiting|active|scheduler) /u.test(each))).toEqual([])
  const all = lives.flatMap(({ name }) => runsOf(home, name))
  const ofSchedulers = all.filter(({ isOfScheduler }) => isOfScheduler)
  console.log(`${all.length} slots ran, ${ofSchedulers.length} of them by job schedulers`)
  expect(all.length).toBeGreaterThan(lives.length)
  expect(ofSchedulers.length).toBeGreaterThan(0)
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
async function live(name: string, kind: Kind, rng: () => number): Promise<readonly Regime[]> {
  const story: Regime[] = []
  const apply = async (wish: Wish, how: { readonly isCreation?: true; readonly isLast?: true } = {}): Promise<void> => {
    const regime: Regime = { wish, sentMs: Date.now(), ...(how.isCreation && { isCreation: true }) }
    story.push(regime)
    await applySchedule(home, name, { ...kind.specOf(wish), engine: wish.engine, suspend: wish.isSuspended })
    if (how.isLast === true || rng() < 0.7) await untilAdopted(name, regime, wish)
  }
  let wish: Wish = { everySeconds: kind.beat, version: 1, isSuspended: false, engine: kind.other ?? 'Taskmill' }
  await apply(wish, { isCreation: true })
  for (let change = 1; change <= kind.changes; change += 1) {
    await untilAroundSlot(kind, rng)
    const choice = rng()
    if (choice < 0.15) {
      await removed(name, story)
      if (rng() < 0.5) await untilAroundSlot(kind, rng)
      wish = { ...wish, isSuspended: false, version: wish.version + 1 }
      await apply(wish, { isCreation: true })
    } else {
      wish = edited(wish, kind, choice, rng)
      await apply(wish)
    }
  }
  await apply({ ...wish, isSuspended: true }, { isLast: true })
  return story
}

function edited(wish: Wish, { other, beat }: Kind, choice: number, rng: () => number): Wish {
  const engine = wish.engine === 'Taskmill' ? other : 'Taskmill'
  if (engine !== undefined && rng() < 0.5) return { ...wish, engine }
  if (choice < 0.45 && beat === 1) return { ...wish, everySeconds: 1 + Math.floor(rng() * 3) }
  // A Job that has not started would start anew: then its handler, the kubelet of this test, may have seen both.
  if (choice < 0.7 && beat === 1) return { ...wish, version: wish.version + 1 }
  return { ...wish, isSuspended: !wish.isSuspended }
}

/** Up to two seconds later, or up to a minute, and mostly within 300 ms of a slot, or within 2 s. */
async function untilAroundSlot({ beat }: Kind, rng: () => number): Promise<void> {
  const [ahead, spreadMs] = beat === 1 ? [2, 600] : [beat, 4_000]
  const atMs = Math.ceil((Date.now() / 1_000 + rng() * ahead) / beat) * beat * 1_000 + (rng() - 0.5) * spreadMs
  await sleep(Math.max(0, atMs - Date.now()))
}

/** Until status and ledger are of what is asked for, and nothing of what was before is still to be taken back. */
async function untilAdopted(name: string, regime: Regime, { everySeconds, isSuspended, engine }: Wish): Promise<void> {
  const { namespace, client } = home
  const { metadata } = await client.get(taskSchedules, namespace, name)
  await observe(
    client,
    taskSchedules,
    { namespace, name },
    (object) => (object?.status?.observedGeneration ?? 0) >= (metadata.generation ?? 1),
  )
  await untilLedger(home, name, 'adopted', ({ timing, open }) => {
    const isPeriod = !('everySeconds' in timing) || timing.everySeconds === everySeconds
    const isThis = isPeriod && timing.suspended === isSuspended && (timing.engine ?? 'Taskmill') === engine
    return isThis && open.every(({ state }) => state !== 'Revoking')
  })
  regime.adoptedMs = Date.now()
}

async function removed(name: string, story: Regime[]): Promise<void> {
  const regime: Regime = { wish: undefined, sentMs: Date.now() }
  story.push(regime)
  await deleteSchedule(home, name)
  await until(`the end of ${name}`, async () => (await ledgerOf(home, name)) === undefined)
  regime.adoptedMs = Date.now()
}

/** What should not be, in words. */
async function faultsOf(name: string, kind: Kind, story: readonly Regime[]): Promise<readonly string[]> {
  await untilLedger(home, name, 'at rest', ({ open, active }) => active.length === 0 && open.every(({ state }) => state === 'Final'))
  const ledger = await ledgerOf(home, name)
  if (ledger === undefined) return [`${name} has no ledger`]
  const runs = runsOf(home, name)
  const slots = runs.map(({ slot }) => slot)
  const twice = slots.filter((slot, index) => slots.indexOf(slot) !== index).map((slot) => `${name}: slot ${slot} ran twice`)
  const ghosts = runs
    .filter((run) => !story.some((_, index) => mayRun(run, story, index)))
    .map(({ slot, isOfScheduler }) => `${name}: slot ${slot} was not due${isOfScheduler ? ', by its job scheduler' : ''}`)
  return [...twice, ...ghosts, ...miscounted(name, kind, story.slice(story.findLastIndex(({ isCreation }) => isCreation === true)), ledger)]
}

/** Of a schedule since it was created last: whether its ledger counts each slot once. What is due now, while it is suspended, is not counted yet. */
function miscounted(name: string, { specOf }: Kind, story: readonly Regime[], ledger: Ledger): readonly string[] {
  const countDue = (regimes: readonly Regime[], boundsOf: typeof boundsOfPossible): number =>
    new Set(regimes.flatMap(({ wish }, index) => (wish === undefined ? [] : slotsDue(wish.everySeconds, ...boundsOf(story, index))))).size
  // The last suspension may have begun before the last edit: it is counted when it ends, or gets another period.
  const period = story.at(-1)?.wish?.everySeconds
  const resting = story.findLastIndex(({ wish }) => wish?.isSuspended !== true || wish.everySeconds !== period) + 1
  const certain = countDue(story.slice(0, resting), boundsOfCertain)
  const possible = countDue(story.slice(0, -1), boundsOfPossible)
  const missed = Object.values(ledger.missed).reduce((total, { count }) => total + count, 0)
  const decided = ledger.dispatched + missed
  const ran = runsOf(home, name).filter(({ slot }) => slot > Math.floor((story[0]?.sentMs ?? 0) / 1_000)).length
  const isReplaced = story.some(({ wish }) => wish && specOf(wish).concurrencyPolicy === 'Replace')
  return [
    ...(decided >= certain && decided <= possible ? [] : [`${name}: ${decided} slots were decided, ${certain} to ${possible} were due`]),
    ...((isReplaced ? ran <= ledger.dispatched : ran === ledger.dispatched)
      ? []
      : [`${name}: ${ledger.dispatched} slots were dispatched, ${ran} ran`]),
  ]
}

/** Whether the run may be one of this regime. Its template may be a later one, if it started late. */
function mayRun({ slot, version = 0, isOfScheduler }: Run, story: readonly Regime[], index: number): boolean {
  const wish = story[index]?.wish
  if (wish === undefined || wish.isSuspended || slot % wish.everySeconds !== 0) return false
  const [after, upTo] = boundsOfPossible(story, index)
  const isOfEngine = (engine: Engine): boolean => (engine === 'BullMQ') === (isOfScheduler === true)
  return slot > after && slot <= upTo && version >= wish.version && enginesOf(story, index).some(isOfEngine)
}

/** The engines that may start a slot of this regime: what is due and not decided at a change of the engine is the next one's, and nothing else is. */
function enginesOf(story: readonly Regime[], index: number): readonly Engine[] {
  const { everySeconds } = story[index]?.wish ?? {}
  const isSame = ({ wish }: Regime): boolean => wish?.everySeconds === everySeconds && wish?.isSuspended === false
  const later = story.slice(index)
  // What nobody waited for may have come and gone before it was seen.
  const end = later.findIndex((regime) => regime.adoptedMs !== undefined && !isSame(regime))
  return later.slice(0, end === -1 ? undefined : end).flatMap((regime) => (isSame(regime) && regime.wish ? [regime.wish.engine] : []))
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
