/**
 * Schedules of every policy and executor, due every second or two, while everything happens to two operators and to their servers at seeded
 * moments: the leader is killed, followed, frozen, and cut off from the API server; Redis and the API server are killed; connections to Redis
 * break. Afterwards every slot has run once, or is missed for a reason that its policy allows. `make test` runs one schedule of each kind until
 * 400 slots were due, `make soak` three of each, until 2,000 were. The seed is printed; SEED=… repeats the moments.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { dispatcherName, groupsKey } from '../../src/contract/index.ts'
import type { MissedReason } from '../../src/scheduling/index.ts'
import { cutOffLeader, failOver, type Faults, freezeLeader, killLeader, type Pair, startPair, strike } from '../support/chaos.ts'
import { startOwnCluster } from '../support/cluster.ts'
import { draws, seed } from '../support/draws.ts'
import { startKubelet, type Kubelet } from '../support/kubelet.ts'
import { lossyProxy, type LossyProxy } from '../support/lossy-proxy.ts'
import { startOperator } from '../support/operator-process.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts'
import { findPlacedTwice, pendingEnds } from '../support/scale-account.ts'
import {
  applySchedule,
  connectRedis,
  createGraph,
  createHome,
  graphOneAtATime,
  graphRunsOf,
  installation,
  jobOneAtATime,
  ledgerOf,
  oneAtATime,
  placedAhead,
  queue,
  runsOf,
  settle,
  slotsDue,
  until,
  untilLedger,
  type Account,
  type Home,
  type ScheduleSpec,
} from '../support/schedule-home.ts'

/** Why slots of it may be missed, besides the reasons that any may have. */
type Row = { readonly name: string; readonly spec: ScheduleSpec; readonly mayMiss?: readonly MissedReason[] }

/** Runs take longer than the interval. */
const slow = { type: 'record', queue: 'slow', payload: { ms: 1_500 } } as const
const replace = { concurrencyPolicy: 'Replace', missedRuns: 'Latest' } as const
const inLine = { concurrencyPolicy: 'Queue', queueLimit: 100 } as const
const allow = { concurrencyPolicy: 'Allow' } as const

function cronJob(policy: Partial<ScheduleSpec>): ScheduleSpec {
  return jobOneAtATime(60, { schedules: ['* * * * *'], engine: 'CronJob', missedRuns: 'Latest', ...policy })
}

/** One of each kind. What another engine dispatches is a row like these. */
const rows: readonly Row[] = [
  { name: 'ahead', spec: placedAhead(1) },
  { name: 'ahead-latest', spec: placedAhead(1, { missedRuns: 'Latest' }), mayMiss: ['Superseded'] },
  { name: 'ahead-flaky', spec: placedAhead(2, { task: { type: 'flaky', retry: { maxRetries: 1, initialDelaySeconds: 1 } } }) },
  { name: 'alone', spec: oneAtATime(1), mayMiss: ['Overlap'] },
  { name: 'jittered', spec: placedAhead(3, { jitterSeconds: 2 }) },
  { name: 'alone-jittered', spec: oneAtATime(3, { jitterSeconds: 2 }), mayMiss: ['Overlap'] },
  { name: 'alone-slow', spec: oneAtATime(1, { task: slow }), mayMiss: ['Overlap'] },
  { name: 'alone-latest', spec: oneAtATime(1, { missedRuns: 'Latest' }), mayMiss: ['Overlap', 'Superseded'] },
  { name: 'alone-skip', spec: oneAtATime(2, { missedRuns: 'Skip' }), mayMiss: ['Overlap', 'Superseded', 'Skipped'] },
  { name: 'alone-failing', spec: oneAtATime(2, { task: { type: 'fail' } }), mayMiss: ['Overlap'] },
  { name: 'punctual', spec: oneAtATime(1, { startingDeadlineSeconds: 3 }), mayMiss: ['Overlap', 'StartingDeadlineExceeded'] },
  { name: 'replaced', spec: placedAhead(1, replace), mayMiss: ['Superseded'] },
  { name: 'replaced-slow', spec: placedAhead(1, { ...replace, task: slow }), mayMiss: ['Superseded'] },
  { name: 'in-line', spec: placedAhead(1, inLine), mayMiss: ['QueueFull'] },
  { name: 'in-line-slow', spec: placedAhead(1, { ...inLine, queueLimit: 3, task: slow }), mayMiss: ['QueueFull'] },
  { name: 'chained', spec: placedAhead(2, { ...inLine, dependsOnPast: true }), mayMiss: ['QueueFull'] },
  { name: 'grouped', spec: placedAhead(2, { ...inLine, concurrencyGroup: { name: 'one', limit: 1 } }), mayMiss: ['QueueFull'] },
  {
    name: 'grouped-slow',
    spec: placedAhead(2, { ...inLine, task: slow, concurrencyGroup: { name: 'one', limit: 1 } }),
    mayMiss: ['QueueFull'],
  },
  { name: 'scheduler', spec: placedAhead(2, { engine: 'BullMQ', missedRuns: 'Latest' }), mayMiss: ['Superseded', 'NotCreated'] },
  { name: 'graph', spec: graphOneAtATime(2, 'sound', allow) },
  { name: 'graph-alone', spec: graphOneAtATime(2, 'sound'), mayMiss: ['Overlap'] },
  { name: 'graph-replaced', spec: graphOneAtATime(2, 'sound', replace), mayMiss: ['Superseded'] },
  { name: 'graph-in-line', spec: graphOneAtATime(2, 'sound', inLine), mayMiss: ['QueueFull'] },
  { name: 'job', spec: jobOneAtATime(2, allow) },
  { name: 'job-alone', spec: jobOneAtATime(2), mayMiss: ['Overlap'] },
  { name: 'job-replaced', spec: jobOneAtATime(2, replace), mayMiss: ['Superseded'] },
  { name: 'job-in-line', spec: jobOneAtATime(2, inLine), mayMiss: ['QueueFull'] },
]
/** Due each minute, which is too seldom for the suite. */
const rowsOfSoak: readonly Row[] = [
  { name: 'cron-job', spec: cronJob(allow), mayMiss: ['Superseded', 'NotCreated'] },
  { name: 'cron-job-alone', spec: cronJob({ concurrencyPolicy: 'Forbid' }), mayMiss: ['Superseded', 'NotCreated', 'Overlap'] },
]
const schedules: readonly Row[] = [...rows, ...draws<readonly Row[]>([], rowsOfSoak)].flatMap((row) =>
  Array.from({ length: draws(1, 3) }, (_, index) => ({ ...row, name: `${row.name}-${index}` })),
)
const slotsWanted = draws(400, 2_000)

const roundsWanted = draws(1, 3)

/** Takes over within seconds, and is lost more often. */
const hurriedLease = { leaseDurationMs: 8_000, renewDeadlineMs: 6_000 }
const queues = [queue, slow.queue]

const folder = mkdtempSync(join(tmpdir(), 'taskmill-chaos-'))
const recordFile = join(folder, 'runs')
let cluster: Awaited<ReturnType<typeof startOwnCluster>>
let redis: RedisServer
let way: LossyProxy
let home: Home
let kubelet: Kubelet
const workers: PlainWorker[] = []
const proxies = new Map<string, RecordingProxy>()

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  writeFileSync(recordFile, '')
  ;[cluster, redis] = await Promise.all([startOwnCluster(), startRedis({ appendonly: 'always' })])
  way = await lossyProxy(redis.port)
  home = { client: cluster.client, commands: connectRedis(redis), namespace: cluster.nameOf('chaos'), recordFile }
  await createHome(home, { ...redis, address: way.address })
  await createGraph(home, 'sound')
  for (const identity of ['operator-0', 'operator-1']) {
    proxies.set(identity, await startRecordingProxy(cluster, identity, { answerAfterMs: 0 }))
  }
  kubelet = startKubelet(
    cluster,
    recordFile,
    schedules.filter(({ spec }) => spec.job !== undefined).map(({ name }) => name),
  )
  workers.push(...[1, 2].map(() => startPlainWorker({ redis, queues, recordFile })))
})

afterAll(async () => {
  await Promise.allSettled([kubelet?.stop(), ...workers.map((worker) => worker.stop())])
  home?.commands.disconnect()
  await Promise.allSettled([way, ...proxies.values()].map((proxy) => proxy?.[Symbol.asyncDispose]()))
  await Promise.allSettled([redis?.stop(), cluster?.close()])
  rmSync(folder, { recursive: true })
})

it(
  'every slot of every policy runs once, or is missed for a reason, whatever happens to operators and servers',
  {
    timeout: 1_800_000,
  },
  async () => {
    await using pair = startPair((identity) =>
      startOperator({ cluster: proxies.get(identity) ?? cluster, identity, namespaces: [home.namespace], times: { lease: hurriedLease } }),
    )
    onTestFailed(() => console.log(pair.describe()))
    await pair.leader()
    const createdAt = new Map(
      await Promise.all(schedules.map(async ({ name, spec }) => [name, await applySchedule(home, name, spec)] as const)),
    )
    const sinceCreation = (): number => {
      const now = Math.floor(Date.now() / 1_000)
      return schedules.reduce((sum, { name, spec }) => sum + slotsDue(spec.everySeconds, createdAt.get(name) ?? now, now).length, 0)
    }
    const rngs = [1, 2, 3, 4].map((index) => random(seed + index))
    const [operatorsRng, serversRng, moments] = [rngs[0]!, rngs[1]!, rngs[2]!]
    const isEnough = (rounds: number): boolean => rounds >= roundsWanted && sinceCreation() >= slotsWanted
    let isOver = false
    const operators = strike(faultsOfOperators(pair), operatorsRng, isEnough).finally(() => (isOver = true))
    const servers = strike(faultsOfServers(moments), serversRng, () => isOver)
    console.log('struck:', await operators, await servers)

    // All is well again: each of them goes on.
    await Promise.all(schedules.map(({ name }) => untilMoreDecided(name)))
    const accounts = await Promise.all(
      schedules.map(async ({ name, spec, mayMiss = [] }) => {
        const isOnce = spec.job === undefined
        return { name, spec, mayMiss, ...(await settle(home, name, spec, createdAt.get(name) ?? 0, { isOnce })) }
      }),
    )
    const sum = (count: (account: Account) => number) => accounts.reduce((total, account) => total + count(account), 0)
    console.log(accounts.map(({ name, due, ran, missed }) => `${name} ${ran}/${due} ${JSON.stringify(missed)}`).join(', '))
    console.log(`${accounts.length} schedules, ${sum(({ due }) => due)} slots, ${sum(({ ran }) => ran)} ran`)
    expect(accounts.flatMap(({ name, wrong }) => wrong.map((each) => `${name}: ${each}`))).toEqual([])
    expect(sum(({ due }) => due)).toBeGreaterThanOrEqual(slotsWanted)
    expect(accounts.flatMap(({ name, missed, mayMiss }) => unexplained(missed, mayMiss).map((each) => `${name}: ${each}`))).toEqual([])
    expect(accounts.flatMap(({ name, spec }) => outOfOrder(name, spec, createdAt.get(name) ?? 0))).toEqual([])
    const { repeated, placedTwice } = await findPlacedTwice(home, queues)
    console.log(`${repeated} jobs were started again by their queue`)
    expect(placedTwice).toEqual([])
    const names = schedules.map(({ name }) => name)
    await until('the end of everything that was begun', async () => (await pendingEnds(home, names)).length === 0)
    // Every run has ended: a count that is left would hold up its concurrency group for ever.
    expect(await home.commands.hgetall(groupsKey('bull', dispatcherName(installation, home.namespace)))).toEqual({})
    expect(pair.crashes).toEqual([])
  },
)

function faultsOfOperators(pair: Pair): Faults {
  return {
    'leader killed': () => killLeader(pair),
    'followed by the other': () => failOver(pair),
    'leader frozen': () => freezeLeader(pair),
    'leader cut off from the API server': () => cutOffLeader(pair, ({ identity }) => proxies.get(identity)!),
  }
}

function faultsOfServers(rng: () => number): Faults {
  return {
    'Redis killed': async () => {
      await redis.kill()
      await sleep(rng() * 1_500)
      await redis.restart()
    },
    'API server killed': async () => {
      await cluster.controlPlane.kill9ApiServer()
      await sleep(rng() * 1_500)
      await cluster.controlPlane.restartApiServer()
    },
    'connections to Redis cut': () => Promise.resolve(way.cut()),
    'no way to Redis': async () => {
      way.part()
      await sleep(rng() * 3_000)
      way.mend()
    },
  }
}

async function untilMoreDecided(name: string): Promise<void> {
  const before = (await ledgerOf(home, name))?.cursor ?? 0
  await untilLedger(home, name, 'it goes on', ({ cursor }) => cursor > before)
}

/** The account itself suspends the schedules. Nobody may have led for more than a hundred slots, where all are busy. */
const ofAny: readonly MissedReason[] = ['Suspended', 'TooManyMissed']

function unexplained(missed: Account['missed'], mayMiss: readonly MissedReason[]): readonly string[] {
  const allowed: readonly string[] = [...ofAny, ...mayMiss]
  return Object.entries(missed).flatMap(([reason, count]) => (allowed.includes(reason) ? [] : [`${count} missed (${reason})`]))
}

/** Where one run waits for the other, or replaces it, they begin in order. */
function outOfOrder(name: string, spec: ScheduleSpec, createdAt: number): readonly string[] {
  if (spec.concurrencyPolicy === undefined || spec.concurrencyPolicy === 'Allow') return []
  const now = Math.floor(Date.now() / 1_000)
  const runs = spec.dependencyRef === undefined ? runsOf(home, name) : graphRunsOf(home, name, slotsDue(spec.everySeconds, createdAt, now))
  const begun = [...new Set(runs.toSorted((a, b) => a.atMs - b.atMs).map(({ slot }) => slot))]
  const late = begun.find((slot, index) => slot < (begun[index - 1] ?? 0))
  return late === undefined ? [] : [`${name}: slot ${new Date(late * 1_000).toISOString()} began after a later one`]
}
