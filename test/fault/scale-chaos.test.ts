/**
 * The load of the scale benchmark while operators and Redis are killed again and again: nothing is lost or doubled, no pool is wedged, and no
 * operator needs more memory than its container has. `make test` runs a share of the load for a short while, `make soak` all of it for more
 * than a minute. The seed is printed; SEED=… repeats the moments.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest'
import { parse } from 'yaml'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { deployments, workerPools } from '../../src/api/index.ts'
import { listAll } from '../../src/kube/index.ts'
import { sendAll } from '../bench/at-once.ts'
import { startShippedOperator } from '../bench/operator.ts'
import { createLoad, queues, sizeOf } from '../bench/scale-load.ts'
import { killOperators, killRedis, startPair } from '../support/chaos.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { draws, seed } from '../support/draws.ts'
import { createDependency, createExecution } from '../support/manifests.ts'
import { startPlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import { accountForSchedules, faultsOfRuns, findPlacedTwice, pendingEnds } from '../support/scale-account.ts'
import { connectRedis, createHome, until, type Home } from '../support/schedule-home.ts'

/** Of the full size, in percent; SCALE_PERCENT chooses another share, as for the benchmark. */
const share = Number(process.env['SCALE_PERCENT'] ?? draws(5, 100))
const killingMs = draws(25_000, 75_000)
/** Graphs that begin while everything is killed. */
const graphs = draws(20, 100)
/** In the suite more often than every minute, so that slots are due all the time; and none is too late to run. */
const busy = {
  ...draws<object>({ everySeconds: 5 }, { schedules: ['* * * * *'] }),
  missedRuns: 'All',
  missedRunsLimit: 100,
}
const size = sizeOf(share)
const folder = mkdtempSync(join(tmpdir(), 'taskmill-chaos-'))
let cluster: TestCluster
let redis: RedisServer
let home: Home

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis({ appendonly: 'always' })])
  const recordFile = join(folder, 'runs')
  writeFileSync(recordFile, '')
  home = await createHome({ client: cluster.client, commands: connectRedis(redis), namespace: cluster.nameOf('chaos'), recordFile }, redis)
  const nodes = [
    { name: 'first', task: { type: 'record', queue: queues.runs } },
    { name: 'second', dependsOn: [{ name: 'first' }], task: { type: 'record', queue: queues.runs } },
  ]
  await createDependency(home.client, home.namespace, 'graph', { nodes })
  await createLoad(home.client, home.namespace, size, busy)
})

afterAll(async () => {
  home?.commands.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
  rmSync(folder, { recursive: true })
})

it('nothing is lost or doubled while operators and Redis are killed under the load', { timeout: 3_600_000 }, async () => {
  const { namespace, recordFile } = home
  await using _worker = startPlainWorker({ redis, queues: Object.values(queues), recordFile })
  await using pair = startPair((identity) => startShippedOperator(cluster, { identity, namespaces: [namespace] }))
  onTestFailed(() => console.log(pair.describe()))
  await pair.leader()
  const untilMs = Date.now() + killingMs
  const rngs = [1, 2, 3].map((index) => random(seed + index))
  const [operators, redisKills] = await Promise.all([
    killOperators(pair, rngs[0]!, untilMs),
    killRedis(redis, rngs[1]!, untilMs),
    beginGraphs(rngs[2]!, untilMs),
  ])
  console.log(`killed: ${operators.kills} operators, followed by the other one ${operators.takeOvers} times; Redis ${redisKills} times`)

  const { runs, faults } = await faultsOfRuns(home)
  expect(runs).toBe(size.runs + graphs)
  expect(faults).toEqual([])
  const accounts = await accountForSchedules(home)
  const sum = (count: (account: (typeof accounts)[number]) => number) => accounts.reduce((total, account) => total + count(account), 0)
  const missed = sum((account) => Object.values(account.missed).reduce((total, count) => total + count, 0))
  console.log(
    `${runs} runs; of ${accounts.length} schedules ${sum(({ due }) => due)} slots: ${sum(({ ran }) => ran)} ran, ${missed} missed`,
  )
  expect(accounts.flatMap(({ name, wrong }) => wrong.map((each) => `${name}: ${each}`))).toEqual([])
  // Runs that may be late and overlap are never missed; the others only while one of them runs. What was due and not yet decided when the
  // account suspended the schedule is missed for that.
  const unexplained = accounts.filter(({ mayOverlap, missed: reasons }) =>
    Object.keys(reasons).some((reason) => reason !== 'Suspended' && (mayOverlap || reason !== 'Overlap')),
  )
  expect(unexplained).toEqual([])
  expect(sum(({ ran }) => ran)).toBeGreaterThan(size.schedules / 10)
  const { repeated, placedTwice } = await findPlacedTwice(home, Object.values(queues))
  console.log(`${repeated} jobs were started again by their queue`)
  expect(placedTwice).toEqual([])
  await until(
    'the end of everything that was begun',
    async () =>
      (
        await pendingEnds(
          home,
          accounts.map(({ name }) => name),
        )
      ).length === 0,
  )

  await wakeAllPools()
  for (const { identity, peakMb } of pair.seats) {
    console.log(`${identity}: at most ${peakMb.toFixed(0)} MB`)
    expect(peakMb).toBeGreaterThan(0)
    expect(peakMb, identity).toBeLessThan(limitMb())
  }
  expect(pair.crashes).toEqual([])
})

/** Runs of a graph of two nodes, spread over the time. */
async function beginGraphs(rng: () => number, untilMs: number): Promise<void> {
  const leftMs = untilMs - Date.now()
  const moments = Array.from({ length: graphs }, () => rng() * leftMs)
  await Promise.all(
    moments.map(async (afterMs, index) => {
      await sleep(afterMs)
      await createExecution(home.client, home.namespace, `graph-${index}`, { dependencyRef: { name: 'graph' } })
    }),
  )
}

/** Every pool still does what it is there for: it starts a worker for a job. */
async function wakeAllPools(): Promise<void> {
  const { client, namespace, commands: connection } = home
  const pools = await listAll(client, workerPools, { namespace })
  await sendAll(
    pools.map(({ metadata: { name } }) => async () => {
      const queue = new Queue(name, { connection })
      queue.on('error', () => undefined)
      await queue.add('wake', {})
      await queue.close()
    }),
  )
  let asleep: readonly string[] = []
  await until('a worker of each pool', async () => {
    const awake = new Set(
      (await listAll(client, deployments, { namespace })).flatMap(({ metadata, spec }) =>
        (spec.replicas ?? 0) > 0 ? [metadata.name] : [],
      ),
    )
    asleep = pools.flatMap(({ metadata: { name } }) => (awake.has(name) ? [] : [name]))
    return asleep.length === 0
  }).catch((cause: unknown) => {
    throw new Error(`pools without a worker: ${asleep.join(', ')}`, { cause })
  })
  expect(pools).toHaveLength(size.pools)
}

/** The memory that the chart's container may take. */
function limitMb(): number {
  const values = parse(readFileSync('charts/taskmill/values.yaml', 'utf8')) as {
    readonly operator: { readonly resources: { readonly limits: { readonly memory: string } } }
  }
  return Number(/^(\d+)Mi$/u.exec(values.operator.resources.limits.memory)?.[1])
}
