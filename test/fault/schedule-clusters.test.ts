/**
 * An API server that goes away, a namespace that is deleted while no operator runs, and two clusters on one Redis. Runs are counted by the handlers of
 * plain BullMQ workers in a file of their own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { findCondition, taskBrokers, taskSchedules } from '../../src/api/index.ts'
import { openCluster, startOwnCluster, type TestCluster } from '../support/cluster.ts'
import { namespaces, observe } from '../support/cluster-client.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import {
  accountAtRest,
  applyBroker,
  applySchedule,
  connectRedis,
  createHome,
  deleteSchedule,
  dispatcherOf,
  ledgerOf,
  oneAtATime,
  placedAhead,
  queue,
  remainsOf,
  runsOf,
  settle,
  slotsDue,
  slotsRun,
  untilLedger,
  until,
  untilMoreRan,
  untilNothingRemains,
  type Home,
} from '../support/schedule-home.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskmill-fault-'))
const recordFile = join(folder, 'runs')
let redis: RedisServer
let commands: Redis
let worker: PlainWorker
/** Two that share a Redis. */
let one: TestCluster
let two: TestCluster
/** This one loses its API server. */
let third: Awaited<ReturnType<typeof startOwnCluster>>
const operators: OperatorProcess[] = []

beforeAll(async () => {
  writeFileSync(recordFile, '')
  ;[redis, one, two, third] = await Promise.all([
    startRedis({ appendonly: 'everysec' }),
    openCluster(),
    startOwnCluster({ controllerManager: false }),
    startOwnCluster({ controllerManager: false }),
  ])
  commands = connectRedis(redis)
  worker = startPlainWorker({ redis, queues: [queue], recordFile })
})

afterAll(async () => {
  await Promise.allSettled([...operators.map((operator) => operator.kill()), worker?.stop()])
  commands?.disconnect()
  await Promise.allSettled([redis?.stop(), ...[one, two, third].map((cluster) => cluster?.close())])
  rmSync(folder, { recursive: true })
})

/** An operator for some namespaces, with its Lease in the first of them. */
function launch(cluster: TestCluster, watched: readonly string[], identity = 'operator-0'): OperatorProcess {
  const operator = startOperator({ cluster, identity, namespaces: watched })
  operators.push(operator)
  return operator
}

/** The first one's name, so that it is the same in all of them. */
const homeIn = ({ client }: TestCluster, name: string): Home => ({ client, commands, namespace: one.nameOf(name), recordFile })

it.concurrent(
  'the API server is away for 20 s: what is placed runs, the rest follows, and no process restarts',
  async () => {
    const home = await createHome(homeIn(third, 'api-away'), redis)
    const pair = ['operator-0', 'operator-1'].map((identity) => launch(third, [home.namespace], identity))
    const specs = { ahead: placedAhead(2), alone: oneAtATime(2) }
    const [ahead, alone] = await Promise.all([applySchedule(home, 'ahead', specs.ahead), applySchedule(home, 'alone', specs.alone)])
    await Promise.all([untilMoreRan(home, 'ahead', 3), untilMoreRan(home, 'alone', 3)])

    await third.controlPlane.stopApiServer()
    const awayFrom = Date.now()
    await sleep(20_000)
    const backAt = Date.now()
    await third.controlPlane.restartApiServer()
    const during = slotsDue(2, Math.ceil(awayFrom / 1000), Math.floor(backAt / 1000) - 1)
    const ranDuring = new Set(runsOf(home, 'ahead').flatMap(({ slot, atMs }) => (atMs < backAt ? [slot] : [])))
    expect(during.length).toBeGreaterThanOrEqual(8)
    expect(during.filter((slot) => !ranDuring.has(slot))).toEqual([])
    // One at a time: the first of them runs, and the others overlap with it.
    await until('a slot of the outage', () => runsOf(home, 'alone').some(({ slot, atMs }) => during.includes(slot) && atMs > backAt))

    const accounts = await Promise.all([settle(home, 'ahead', specs.ahead, ahead), settle(home, 'alone', specs.alone, alone)])
    console.log(`API server away: ${accounts.map(({ ran, due, missed }) => `${ran}/${due} ${JSON.stringify(missed)}`).join(', ')}`)
    expect(accounts.flatMap(({ wrong }) => wrong)).toEqual([])
    expect(accounts.flatMap(({ missed }) => Object.keys(missed)).filter((reason) => !/^(?:Overlap|Suspended)$/u.test(reason))).toEqual([])
    expect(accounts[0]?.missed).toEqual({})
    // Both are the processes that they were; which of them leads now is open.
    expect(pair.map(({ pid }) => process.kill(pid, 0))).toEqual([true, true])
    expect(await Promise.race([...pair.map((operator) => operator.exited), sleep(1)])).toBeUndefined()
  },
  280_000,
)

it.concurrent(
  'namespaces are deleted while no operator runs: swept at the next contact, but for what was to stay',
  async () => {
    const [gone, orphaned, keeper] = await Promise.all(['gone', 'orphaned', 'keeper'].map((name) => createHome(homeIn(one, name), redis)))
    if (gone === undefined || orphaned === undefined || keeper === undefined) return expect.fail()
    const watched = [keeper, gone, orphaned].map(({ namespace }) => namespace)
    const operator = launch(one, watched)
    await Promise.all([
      applySchedule(gone, 'ahead', placedAhead(3)),
      applySchedule(gone, 'alone', oneAtATime(3)),
      applySchedule(orphaned, 'ahead', placedAhead(3, { deletionPolicy: 'Orphan' })),
      applySchedule(keeper, 'ahead', placedAhead(3)),
    ])
    await Promise.all([...[gone, orphaned, keeper].map((home) => untilMoreRan(home, 'ahead', 2)), untilMoreRan(gone, 'alone', 2)])
    await operator.kill()
    const deleted = [gone, orphaned].map(({ namespace }) => namespace)
    await Promise.all(deleted.map((name) => one.client.delete(namespaces, undefined, name)))
    await Promise.all(deleted.map((name) => observe(one.client, namespaces, { name }, (object) => object === undefined)))
    expect((await remainsOf(gone)).filter((each) => each.startsWith('delayed ')).length).toBeGreaterThan(5)
    const ranBefore = slotsRun(orphaned, 'ahead').size

    const next = launch(one, watched)
    await untilNothingRemains(gone).catch((error: unknown) => {
      console.log(next.lines.slice(-40))
      throw error
    })
    const kept = await remainsOf(orphaned)
    expect(kept.filter((each) => /^(?:ledger|marker) /u.test(each))).toHaveLength(2)
    expect(kept.filter((each) => each.startsWith('delayed ')).length).toBeGreaterThan(3)
    const ranOfGone = runsOf(gone, 'ahead').length
    // Placed jobs of the orphan go on to run, those of the other do not.
    await until('slots of the orphan', () => slotsRun(orphaned, 'ahead').size >= ranBefore + 3)
    expect(runsOf(gone, 'ahead')).toHaveLength(ranOfGone)
    await untilMoreRan(keeper, 'ahead', 1)
    for (const home of [gone, orphaned]) {
      const runs = runsOf(home, 'ahead').map(({ slot }) => slot)
      expect(new Set(runs).size).toBe(runs.length)
    }
    await deleteSchedule(keeper, 'ahead')
    await untilNothingRemains(keeper)
    await next.stop()
  },
  280_000,
)

it.concurrent(
  'two clusters on one Redis: exactly one fires each slot, and it is handed over, or taken over after a death',
  async () => {
    const [home, other] = [await createHome(homeIn(one, 'shared'), redis), await createHome(homeIn(two, 'shared'), redis)]
    const { namespace } = home
    const schedules = { ahead: placedAhead(3), alone: oneAtATime(2) }
    const names = ['ahead', 'alone'] as const
    const operatorOne = launch(one, [namespace])
    const createdAt = {
      ahead: await applySchedule(home, 'ahead', schedules.ahead),
      alone: await applySchedule(home, 'alone', schedules.alone),
    }
    await Promise.all(names.map((name) => untilMoreRan(home, name, 2)))
    const holderOne = (await dispatcherOf(home))['holder']

    const operatorTwo = launch(two, [namespace])
    await Promise.all(names.map((name) => applySchedule(other, name, schedules[name])))
    const reasonOf = ({ client }: TestCluster, reason: string) =>
      observe(
        client,
        taskSchedules,
        { namespace, name: 'alone' },
        (object) => findCondition(object?.status?.conditions, 'Ready')?.reason === reason,
      )
    const untilHolder = (what: string, holds: (holder: string | undefined) => boolean) =>
      until(what, async () => holds((await dispatcherOf(home))['holder']))
    await reasonOf(two, 'Standby')
    await untilMoreRan(home, 'alone', 3)
    expect((await dispatcherOf(home))['holder']).toBe(holderOne)

    // Handed over.
    await applyBroker(home, redis, 'Standby')
    await untilHolder('the second dispatches', (holder) => holder !== holderOne && holder !== undefined && holder !== '')
    await reasonOf(one, 'Standby')
    await Promise.all(names.map((name) => untilMoreRan(home, name, 3)))

    // Both stand by: nothing is decided any more; what was placed runs.
    await applyBroker(other, redis, 'Standby')
    await Promise.all(
      [one, two].map(({ client }) =>
        observe(client, taskBrokers, { namespace, name: 'default' }, (object) => object?.status?.dispatch === 'Standby'),
      ),
    )
    await reasonOf(two, 'Standby')
    const ledger = await ledgerOf(home, 'alone')
    const ranBefore = slotsRun(home, 'alone').size
    await sleep(6000)
    expect(slotsRun(home, 'alone').size).toBe(ranBefore)
    expect(await ledgerOf(home, 'alone')).toEqual(ledger)

    // The second again, and the first would like to; then the second dies.
    await applyBroker(other, redis, 'Active')
    await untilMoreRan(home, 'alone', 4)
    await applyBroker(home, redis, 'Active')
    await untilMoreRan(home, 'alone', 2)
    expect((await dispatcherOf(home))['holder']).not.toBe(holderOne)
    await operatorTwo.kill()
    await untilHolder('the first takes over', (holder) => holder === holderOne)
    await Promise.all(names.map((name) => untilMoreRan(home, name, 2)))

    await Promise.all(names.map((name) => applySchedule(other, name, { ...schedules[name], suspend: true })))
    await Promise.all(names.map((name) => applySchedule(home, name, { ...schedules[name], suspend: true })))
    await untilLedger(home, 'alone', 'suspended', ({ timing }) => timing.suspended)
    const accounts = await Promise.all(names.map((name) => accountAtRest(home, name, schedules[name], createdAt[name])))
    console.log(`two clusters: ${accounts.map(({ ran, due, missed }) => `${ran}/${due} ${JSON.stringify(missed)}`).join(', ')}`)
    expect(accounts.flatMap(({ wrong }) => wrong)).toEqual([])
    expect(accounts.flatMap(({ missed }) => Object.keys(missed)).filter((reason) => !/^(?:Overlap|Suspended)$/u.test(reason))).toEqual([])
    expect(accounts[0]?.missed).toEqual({})
    await operatorOne.stop()
  },
  280_000,
)
