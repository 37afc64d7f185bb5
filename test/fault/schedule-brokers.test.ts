/**
 * Redis is killed, goes away, and comes back with less than it had. Each scenario has a Redis, a namespace, an operator and a plain BullMQ
 * worker of its own; runs are counted by the handlers in a file. The seed is printed; SEED=… repeats the moments.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { findCondition, taskSchedules } from '../../src/api/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { seed } from '../support/draws.ts'
import { startOperator, termsOf, unhurriedLease, type OperatorProcess } from '../support/operator-process.ts'
import { startPlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import {
  accountOf,
  applySchedule,
  connectRedis,
  createHome,
  ledgerOf,
  oneAtATime,
  placedAhead,
  queue,
  runsOf,
  settle,
  slotsDue,
  slotsRun,
  until,
  untilMoreRan,
  type Home,
  type ScheduleSpec,
} from '../support/schedule-home.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskmill-fault-'))
let cluster: TestCluster
let client: TestCluster['client']
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  cluster = await openCluster()
  ;({ client } = cluster)
})

afterAll(async () => {
  await Promise.allSettled(closing.toReversed().map((close) => close()))
  await cluster?.close()
  rmSync(folder, { recursive: true })
})

type Scene = {
  readonly home: Home
  readonly redis: RedisServer
  /** Where Redis keeps its append-only file. */
  readonly data: string
  readonly operator: OperatorProcess
  readonly launch: () => OperatorProcess
  readonly createdAt: ReadonlyMap<string, number>
}

/** Everything runs, and each schedule has fired twice. */
async function open(title: string, appendonly: 'always' | 'everysec', specs: Readonly<Record<string, ScheduleSpec>>): Promise<Scene> {
  const namespace = cluster.nameOf(title)
  const dir = join(folder, title)
  mkdirSync(dir)
  const redis = await startRedis({ appendonly, dir })
  closing.push(() => redis.stop())
  const commands = connectRedis(redis)
  closing.push(async () => commands.disconnect())
  const home = await createHome({ client, commands, namespace, recordFile: join(folder, `${title}-runs`) }, redis)
  const worker = startPlainWorker({ redis, queues: [queue], recordFile: home.recordFile })
  closing.push(() => worker.stop())
  const launch = (): OperatorProcess => {
    const operator = startOperator({ cluster, namespaces: [namespace], times: { lease: unhurriedLease } })
    closing.push(() => operator.kill())
    return operator
  }
  const operator = launch()
  const createdAt = new Map(
    await Promise.all(Object.entries(specs).map(async ([name, spec]) => [name, await applySchedule(home, name, spec)] as const)),
  )
  await Promise.all(Object.keys(specs).map((name) => untilMoreRan(home, name, 2)))
  return { home, redis, data: join(dir, 'appendonlydir'), operator, launch, createdAt }
}

const settleAll = ({ home, createdAt }: Scene, specs: Readonly<Record<string, ScheduleSpec>>) =>
  Promise.all(Object.entries(specs).map(async ([name, spec]) => ({ name, ...(await settle(home, name, spec, createdAt.get(name) ?? 0)) })))

function print(what: string, accounts: Awaited<ReturnType<typeof settleAll>>): void {
  console.log(`${what}: ${accounts.map(({ name, due, ran, missed }) => `${name} ${ran}/${due} ${JSON.stringify(missed)}`).join(', ')}`)
}

const wrongOf = (accounts: Awaited<ReturnType<typeof settleAll>>): readonly string[] =>
  accounts.flatMap(({ name, wrong }) => wrong.map((each) => `${name}: ${each}`))

const specs = { ahead: placedAhead(2), alone: oneAtATime(2), newest: oneAtATime(3, { missedRuns: 'Latest' }) }

it.concurrent(
  'Redis with AOF always is killed three times: nothing is lost, nothing is doubled',
  async () => {
    const rng = random(seed)
    const scene = await open('always', 'always', specs)
    for (let kill = 0; kill < 3; kill += 1) {
      await sleep(Math.round(rng() * 3000))
      await scene.redis.kill()
      await sleep(Math.round(rng() * 1000))
      await scene.redis.restart()
      await Promise.all(Object.keys(specs).map((name) => untilMoreRan(scene.home, name, 1)))
    }
    const accounts = await settleAll(scene, specs)
    print('always', accounts)
    expect(wrongOf(accounts)).toEqual([])
    expect(accounts.find(({ name }) => name === 'ahead')?.missed).toEqual({})
    expect(accounts.filter(({ missed }) => 'LedgerRegressed' in missed)).toEqual([])
  },
  280_000,
)

/**
 * With AOF everysec Redis acknowledges what reaches the disk up to about 2 s later. A killed process loses none of it, because the kernel
 * has it; a machine without power does. So the append-only file is cut to what it was one slot before. What may go wrong then, and
 * nothing else: slots of that time, and of the time until the loss was noticed, may be lost (added, and forgotten before they ran), run twice
 * (ran, and their end forgotten), or be counted as missed (LedgerRegressed) though they ran.
 */
it.concurrent(
  'Redis with AOF everysec loses its last 2 s: only slots of that time are concerned',
  async () => {
    const scene = await open('everysec', 'everysec', specs)
    const { home, redis, data } = scene
    await sleep(random(seed + 1)() * 2000)
    const lostFrom = Math.floor(Date.now() / 1000)
    const file = join(data, readdirSync(data).find((name) => name.endsWith('.incr.aof')) ?? '')
    const { size } = statSync(file)
    await untilMoreRan(home, 'alone', 1)
    await redis.kill()
    expect(statSync(file).size).toBeGreaterThan(size)
    truncateSync(file, size)
    await redis.restart()
    await Promise.all(Object.keys(specs).map((name) => untilMoreRan(home, name, 3)))
    const lostUntil = Math.min(...Object.keys(specs).map((name) => Math.max(0, ...slotsRun(home, name))))

    for (const [name, spec] of Object.entries(specs)) {
      await settle(home, name, spec, scene.createdAt.get(name) ?? 0)
      const ledger = await ledgerOf(home, name)
      if (ledger === undefined) throw new Error(`no ledger of ${name}`)
      const due = slotsDue(spec.everySeconds, scene.createdAt.get(name) ?? 0, ledger.cursor)
      const account = accountOf(runsOf(home, name), due, ledger, { tolerated: (slot) => slot >= lostFrom - 1 && slot <= lostUntil })
      console.log(`everysec: ${name} ${account.ran}/${account.due} ${JSON.stringify(account.missed)}`)
      expect({ name, wrong: account.wrong }).toEqual({ name, wrong: [] })
      // Whatever was dispatched before and after ran, exactly once; what did not run in between is within the window.
      const ran = slotsRun(home, name)
      const notRun = name === 'ahead' ? due.filter((slot) => !ran.has(slot)) : []
      expect(notRun.filter((slot) => slot < lostFrom - 1 || slot > lostUntil)).toEqual([])
    }
  },
  280_000,
)

it.concurrent(
  'Redis is away for 20 s: the slots of the outage are dispatched or missed by policy',
  async () => {
    const policies = { ...specs, skipped: oneAtATime(2, { missedRuns: 'Skip' }), few: oneAtATime(2, { missedRunsLimit: 3 }) }
    const scene = await open('away', 'always', policies)
    const { home, redis, operator } = scene
    // Orderly: what was acknowledged is on disk.
    await redis.stop()
    const awayFrom = Date.now() / 1000
    await sleep(20_000)
    await redis.restart()
    const backAt = Date.now() / 1000
    await Promise.all(Object.keys(policies).map((name) => untilMoreRan(home, name, 2)))
    const accounts = await settleAll(scene, policies)
    print('away 20 s', accounts)
    expect(wrongOf(accounts)).toEqual([])
    const of = (name: string) => accounts.find((account) => account.name === name)
    expect(of('ahead')?.missed).toEqual({})
    // One at a time: of those of the outage one ran, and the others have their reason.
    expect(of('alone')?.missed['Overlap']).toBeGreaterThanOrEqual(5)
    expect(of('newest')?.missed['Superseded']).toBeGreaterThanOrEqual(4)
    expect(of('few')?.missed['TooManyMissed']).toBeGreaterThanOrEqual(5)
    const ofOutage = (name: string) => [...slotsRun(home, name)].filter((slot) => slot > awayFrom + 1 && slot < backAt - 1).length
    for (const name of ['alone', 'newest', 'few']) expect(ofOutage(name)).toBeLessThanOrEqual(1)
    expect(termsOf(operator)).toBe(1)
    expect(isRunning(operator)).toBe(true)
  },
  280_000,
)

function isRunning({ pid }: OperatorProcess): boolean {
  return process.kill(pid, 0)
}

const restored = [
  { name: 'restored', when: 'while the operator keeps running', isRestarted: false },
  { name: 'restored-anew', when: 'while no operator runs', isRestarted: true },
]

it.concurrent.each(restored)(
  'a snapshot is restored $when: said, and nothing fires twice',
  async ({ name, isRestarted }) => {
    // Not placed ahead, and ended long before the next: the snapshot holds no job that Redis itself would bring back.
    const alone = oneAtATime(4)
    const scene = await open(name, 'always', { alone })
    const { home, redis, data } = scene
    const { namespace } = home
    await untilMoreRan(home, 'alone', 1)
    await sleep(1500)
    redis.freeze()
    cpSync(data, `${data}.copy`, { recursive: true })
    redis.thaw()
    const inCopy = slotsRun(home, 'alone')
    await untilMoreRan(home, 'alone', 3)
    if (isRestarted) {
      // Once status tells of more than is in the copy: the next operator knows nothing else.
      await observe(
        client,
        taskSchedules,
        { namespace, name: 'alone' },
        (object) => Date.parse(object?.status?.lastScheduleTime ?? '') > Math.max(...inCopy) * 1000,
      )
      await scene.operator.kill()
    }
    await redis.stop()
    rmSync(data, { recursive: true })
    cpSync(`${data}.copy`, data, { recursive: true })
    await redis.restart()
    if (isRestarted) scene.launch()

    const seen = await observe(
      client,
      taskSchedules,
      { namespace, name: 'alone' },
      (object) => findCondition(object?.status?.conditions, 'LedgerRegressed')?.status === 'True',
    )
    await untilMoreRan(home, 'alone', 2)
    const runs = runsOf(home, 'alone').map(({ slot }) => slot)
    console.log(`${name}: ${inCopy.size} slots in the copy, ${runs.length} ran, ${JSON.stringify(seen?.status?.missedRuns)}`)
    expect(runs.length - inCopy.size).toBeGreaterThanOrEqual(5)
    expect(runs).toEqual([...new Set(runs)])
    // Events are sent a moment after what they tell of.
    const eventsThere = () => client.raw(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`)
    await until('an Event', async () => (await eventsThere()).includes('"reason":"LedgerRegressed"'))
  },
  280_000,
)
