/**
 * A namespace in which random graphs run while its operators are killed: what people did there, what its TaskExecutions said, what the
 * handlers wrote down, and what is wrong with all of it.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { taskDependencies, taskExecutions, type TaskDependency, type TaskExecution } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { doneQueue, ownersKey, queueKeys, runKey, runName } from '../../src/contract/index.ts'
import { foldRun, viewNodes, viewRun } from '../../src/graph/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { queues, type RandomRun } from './random-graphs.ts'

const installation = 'default'
const prefix = 'bull'

export type Lane = {
  readonly namespace: string
  /** Creates the graph and its run, and lets befall it what is to. */
  begin(run: RandomRun): Promise<void>
  /** Until everything that was begun has an outcome, or is gone, and nothing is left to be done. */
  settled(): Promise<void>
  /** All that Redis holds of the namespace's runs and their jobs: to see whether anything changed. */
  effects(): Promise<Readonly<Record<string, string>>>
  /** What is wrong, in words. */
  judge(): Promise<readonly string[]>
  /** Replaced ones whose run was another one, and all that were replaced. */
  readonly renewed: () => Promise<{ readonly anew: number; readonly of: number }>
  stop(): void
}

type Deps = { readonly client: KubeClient; readonly commands: Redis; readonly namespace: string; readonly recordFile: string }

/** Generous: it ends a wait that would never end, and asserts nothing about time. */
const patienceMs = 150_000

export async function openLane({ client, commands, namespace, recordFile }: Deps): Promise<Lane> {
  const runs: RandomRun[] = []
  /** What befalls runs, and is still to come. */
  const acts: Promise<void>[] = []
  /** As each object was last seen, by its UID. */
  const seen = new Map<string, TaskExecution>()
  const stopping = new AbortController()
  const informer = createInformer<TaskExecution>({
    client,
    resource: taskExecutions,
    namespace,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
  })
  informer.onChange((_, current, previous) => {
    const object = current ?? previous
    if (object?.metadata.uid !== undefined) seen.set(object.metadata.uid, object)
  })
  informer.start(stopping.signal)
  await informer.synced

  const options = { fieldManager: 'test', fieldValidation: 'Strict' } as const
  const create = ({ name, run }: RandomRun) =>
    client.create(taskExecutions, { metadata: { namespace, name }, spec: run } as unknown as TaskExecution, options)

  async function befall(run: RandomRun): Promise<void> {
    const { name, fate, afterMs, isAfterBegin } = run
    if (fate !== 'Cancelled' && fate !== 'Deleted' && fate !== 'Replaced') return
    if (isAfterBegin) {
      await until(
        () => `the begin of ${name}`,
        () => statusOf(name)?.startTime !== undefined,
      )
    }
    await sleep(afterMs)
    if (fate === 'Cancelled') {
      const cancelled = { metadata: { namespace, name }, spec: { desiredState: 'Cancelled' } } as const
      await client.apply(taskExecutions, cancelled, { ...options, fieldManager: 'canceller', force: true })
    } else if (fate === 'Deleted') await client.delete(taskExecutions, namespace, name)
    for (const pauseMs of fate === 'Replaced' ? run.pausesMs : []) {
      // As `kubectl replace --force` does it.
      await client.delete(taskExecutions, namespace, name)
      await create(run)
      await sleep(pauseMs)
    }
  }

  const statusOf = (name: string) => informer.get(`${namespace}/${name}`)?.status
  const isOver = ({ name, fate }: RandomRun): boolean => {
    if (fate === 'Deleted' || fate === 'Expires') return informer.get(`${namespace}/${name}`) === undefined
    const state = statusOf(name)?.state
    return state !== undefined && state !== 'Pending' && state !== 'Running'
  }
  const logOf = (name: string) => commands.lrange(runKey(prefix, runName(installation, namespace, name)), '0', '-1')

  /** What Redis still holds that can have an effect, or should have gone. */
  async function left(): Promise<readonly string[]> {
    const done = queueKeys(prefix, doneQueue(installation, namespace))
    const own = (id: string) => id.startsWith(`tm/${installation}/${namespace}/`)
    const gone = runs.filter(({ fate }) => fate === 'Deleted' || fate === 'Expires')
    const [ends, waitingEnds, markers, logs, ...jobs] = await Promise.all([
      commands.lrange(done.wait, '0', '-1'),
      commands.zrange(`${done.base}waiting-children`, '0', '-1'),
      commands.hkeys(ownersKey(prefix, installation)),
      Promise.all(gone.map(({ name }) => logOf(name))),
      ...Object.values(queues).flatMap((queue) => {
        const keys = queueKeys(prefix, queue)
        return [commands.lrange(keys.wait, '0', '-1'), commands.zrange(keys.delayed, '0', '-1'), commands.lrange(keys.active, '0', '-1')]
      }),
    ])
    const goneRuns = new Set(gone.map(({ name }) => runName(installation, namespace, name)))
    return [
      ...[...ends, ...waitingEnds].map((id) => `end ${id}`),
      ...jobs.flat().flatMap((id) => (own(id) ? [`job ${id}`] : [])),
      ...markers.flatMap((marker) => (goneRuns.has(marker) ? [`marker ${marker}`] : [])),
      ...logs.flatMap((log, index) => (log.length > 0 ? [`log of ${gone[index]?.name}`] : [])),
    ]
  }

  async function until(what: () => string | Promise<string>, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = Date.now() + patienceMs
    while (!(await holds())) {
      if (Date.now() > deadlineMs) throw new Error(`${namespace}: waited in vain: ${await what()}`)
      await sleep(100)
    }
  }

  /** How often each handler ran, by its own book, by job. */
  function book(): ReadonlyMap<string, number> {
    const ran = new Map<string, number>()
    for (const line of readFileSync(recordFile, 'utf8').split('\n').filter(Boolean)) {
      const [id = ''] = line.split(' ')
      ran.set(id, (ran.get(id) ?? 0) + 1)
    }
    return ran
  }

  /** Of all objects of the name, the last one first. */
  const objectsOf = (name: string): readonly TaskExecution[] =>
    [...seen.values()].filter(({ metadata }) => metadata.name === name).toReversed()

  async function judgeOne(run: RandomRun, ran: ReadonlyMap<string, number>): Promise<readonly string[]> {
    const { name, fate, attempts } = run
    const of = `${namespace}/${name} (${fate})`
    const [object] = objectsOf(name)
    if (object === undefined) return [`${of}: was never seen`]
    const whole = runName(installation, namespace, name)
    const log = await logOf(name)
    const [first] = log
    const token = first === undefined ? tokenOf(object) : (JSON.parse(first) as { token: string }).token
    const counts = [...ran].flatMap(([id, count]) => {
      const [, by = '', node] = new RegExp(`^tm/${whole}/([^/]*)/([^/]*)$`, 'u').exec(id) ?? []
      return node === undefined ? [] : [{ by, node, count }]
    })
    const tooOften = counts.flatMap(({ by, node, count }) => [
      ...(count > (attempts.get(node) ?? 0) ? [`${of}: ${node} ran ${count} times, and may only ${attempts.get(node)} times`] : []),
      ...(by !== token && fate !== 'Replaced' ? [`${of}: ${node} ran for another object`] : []),
    ])
    if (fate === 'Deleted') return tooOften
    const { nodes = [], state, failureMessage = 'no failure' } = object.status ?? {}
    const told = run.worldOf(statesOf(nodes), state)
    const stored = log.length === 0 ? told : storedWorld(run, log)
    return [
      ...tooOften,
      ...(run.worlds().has(told) ? [] : [`${of}: ${told} (${failureMessage}), and could be only ${[...run.worlds()].join(' or ')}`]),
      ...(stored === told ? [] : [`${of}: its log says ${stored}, its status ${told}`]),
      ...nodes.flatMap((node) => {
        const count = counts.find(({ by, node: each }) => by === token && each === node.name)?.count ?? 0
        const [least, most] = rightCounts(node, attempts.get(node.name) ?? 0)
        const isRight = count >= least && count <= most && (!hasEndedItself(node) || (node.attempt ?? 0) === count)
        return isRight
          ? []
          : [`${of}: ${node.name} is ${node.state} (${node.reason}: ${node.message}), ${node.attempt} attempts, and ran ${count} times`]
      }),
    ]
  }

  return {
    namespace,
    async begin(run) {
      const { name, graph } = run
      runs.push(run)
      const dependency = { metadata: { namespace, name }, spec: graph } as unknown as TaskDependency
      await client.create(taskDependencies, dependency, options)
      await create(run)
      acts.push(befall(run))
    },
    async settled() {
      await Promise.all(acts)
      await until(
        () => runs.flatMap((run) => (isOver(run) ? [] : [`${run.name} (${run.fate}) is ${statusOf(run.name)?.state}`])).join(', '),
        () => runs.every(isOver),
      )
      await until(
        async () => `left in Redis: ${(await left()).join(', ')}`,
        async () => (await left()).length === 0,
      )
    },
    async effects() {
      const whole = `${installation}/${namespace}`
      const own = [
        `${runKey(prefix, `${whole}/run/`)}*`,
        ...Object.values(queues).map((queue) => `${queueKeys(prefix, queue).base}tm/${whole}/*`),
        `${queueKeys(prefix, doneQueue(installation, namespace)).base}*`,
      ]
      const all = (await Promise.all(own.map((pattern) => commands.keys(pattern)))).flat().toSorted()
      // BullMQ's log and counter of a queue tell of refused adds too.
      const keys = all.filter((key) => !/:(?:events|id)$/u.test(key))
      const dumps = await Promise.all(keys.map((key) => commands.dumpBuffer(key)))
      return Object.fromEntries(keys.map((key, index) => [key, dumps[index]?.toString('base64') ?? '']))
    },
    async judge() {
      const ran = book()
      return (await Promise.all(runs.map((run) => judgeOne(run, ran)))).flat()
    },
    async renewed() {
      const replaced = runs.filter(({ fate }) => fate === 'Replaced')
      const tokens = await Promise.all(
        replaced.map(async ({ name }) => {
          const [first = '{}'] = await logOf(name)
          const [last] = objectsOf(name)
          return last !== undefined && (JSON.parse(first) as { token?: string }).token === tokenOf(last)
        }),
      )
      return { anew: tokens.filter(Boolean).length, of: replaced.length }
    },
    stop: () => stopping.abort(),
  }
}

type NodeStatus = NonNullable<NonNullable<TaskExecution['status']>['nodes']>[number]

const statesOf = (nodes: readonly { readonly name: string; readonly state: string }[]) =>
  Object.fromEntries(nodes.map(({ name, state }) => [name, state]))

function storedWorld(run: RandomRun, log: readonly string[]): string {
  const folded = foldRun(log)
  return folded.ok ? run.worldOf(statesOf(viewNodes(folded.run)), viewRun(folded.run)?.finished?.outcome) : folded.message
}

const hasEndedItself = ({ state }: NodeStatus): boolean => state === 'Succeeded' || state === 'Failed'

/** How often the handler of a node has run, at least and at most; `attempts`: when its job ended by itself. */
function rightCounts(node: NodeStatus, attempts: number): readonly [number, number] {
  const { state, reason, message = '' } = node
  if (hasEndedItself(node)) return reason === 'InvalidExpression' || reason === 'PayloadTooLarge' ? [0, 0] : [attempts, attempts]
  if (state === 'Skipped' || state === 'Omitted') return [0, 0]
  // Taken back before its last attempt, or left to go on.
  return message.includes('its job still runs') ? [1, attempts] : [0, Math.max(0, attempts - 1)]
}

function tokenOf({ metadata }: TaskExecution): string {
  return createHash('sha256')
    .update(metadata.uid ?? '')
    .digest('hex')
    .slice(0, 8)
}
