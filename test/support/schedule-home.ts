/**
 * A namespace with schedules, as a fault test sees it: what people wrote, what the handlers did, and what is left in Redis. The slots that
 * were due are computed here, independently of the product; runs are counted from the handlers' own file, never from the queue.
 */
import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../hack/cluster/redis.ts'
import { finalStateOf, jobs, taskBrokers, taskDependencies, taskExecutions, taskSchedules } from '../../src/api/index.ts'
import {
  annotations,
  dispatcherKey,
  dispatcherName,
  doneQueue,
  labels,
  ledgerKey,
  ledgerName,
  ownersKey,
  queueKeys,
  runName,
  slotJobId,
  slotTime,
  type OwnerMarker,
  type Slot,
} from '../../src/contract/index.ts'
import { hasCode } from '../../src/errors/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { slotObjectName } from '../../src/plans/index.ts'
import type { Ledger } from '../../src/scheduling/index.ts'
import { endOfJob, isAcknowledged } from '../../src/workloads/index.ts'
import { namespaces } from './cluster-client.ts'
import { draws } from './draws.ts'

/** Generous, and more so under the whole load of `make soak`: it ends a wait that would never end, and asserts nothing about time. */
const patienceMs = draws(200_000, 900_000)
export const installation = 'default'
/** The one queue that all schedules of these tests use. */
export const queue = 'work'
/** … but for those that are to wait for a worker for ever. */
export const idleQueue = 'idle'
const prefix = 'bull'

export type ScheduleSpec = {
  /** Its period, also where `schedules` say it. */
  readonly everySeconds: number
  readonly schedules?: readonly string[]
  readonly jitterSeconds?: number
  readonly engine?: 'Taskmill' | 'CronJob' | 'BullMQ'
  readonly suspend?: boolean
  readonly concurrencyPolicy?: 'Allow' | 'Forbid' | 'Replace' | 'Queue'
  readonly dependsOnPast?: boolean
  readonly concurrencyGroup?: { readonly name: string; readonly limit: number }
  readonly missedRuns?: 'Latest' | 'Skip' | 'All'
  readonly missedRunsLimit?: number
  readonly startingDeadlineSeconds?: number
  readonly queueLimit?: number
  readonly deletionPolicy?: 'Delete' | 'Orphan'
  readonly pendingDeadlineSeconds?: number
  readonly runDeadlineSeconds?: number
  readonly onDeadline?: 'Abandon' | 'Cancel'
  readonly task?: {
    readonly type: 'record' | 'fail' | 'flaky'
    readonly queue?: string
    readonly payload?: Readonly<Record<string, unknown>>
    readonly retry?: object
  }
  /** Instead of a task; of `createGraph`. */
  readonly dependencyRef?: { readonly name: string }
  /** Or of this. */
  readonly job?: object
}

export type Home = {
  readonly client: KubeClient
  /** The tests' own connection. */
  readonly commands: Redis
  readonly namespace: string
  readonly recordFile: string
}

export const placedAhead = (everySeconds: number, more: Partial<ScheduleSpec> = {}): ScheduleSpec => ({
  everySeconds,
  missedRuns: 'All',
  missedRunsLimit: 100,
  task: { type: 'record' },
  ...more,
})
export const oneAtATime = (everySeconds: number, more: Partial<ScheduleSpec> = {}): ScheduleSpec => ({
  ...placedAhead(everySeconds),
  concurrencyPolicy: 'Forbid',
  ...more,
})

/** Of a graph, and none of a task. */
export const graphOneAtATime = (everySeconds: number, graph: string, more: Partial<ScheduleSpec> = {}): ScheduleSpec => {
  const { task: _task, ...spec } = oneAtATime(everySeconds)
  return { ...spec, dependencyRef: { name: graph }, ...more }
}

/** Of a Kubernetes Job. */
export const jobOneAtATime = (everySeconds: number, more: Partial<ScheduleSpec> = {}, version = 1): ScheduleSpec => {
  const { task: _task, ...spec } = oneAtATime(everySeconds)
  const pod = { restartPolicy: 'Never', containers: [{ name: 'main', image: `localhost/none:${version}` }] }
  return { ...spec, job: { spec: { backoffLimit: 0, template: { spec: pod } } }, ...more }
}

export function connectRedis(redis: RedisServer): Redis {
  const commands = new Redis({ host: redis.host, port: redis.port, maxRetriesPerRequest: null, retryStrategy: () => 100 })
  commands.on('error', () => undefined)
  return commands
}

/** Creates the namespace and its TaskBroker. */
export async function createHome(home: Home, redis: RedisServer, dispatch: 'Active' | 'Standby' = 'Active'): Promise<Home> {
  appendFileSync(home.recordFile, '')
  await home.client.create(namespaces, { metadata: { name: home.namespace } }, { fieldManager: 'test' })
  await applyBroker(home, redis, dispatch)
  return home
}

export async function applyBroker({ client, namespace }: Home, redis: RedisServer, dispatch: 'Active' | 'Standby'): Promise<void> {
  const broker = { metadata: { namespace, name: 'default' }, spec: { standalone: { address: redis.address }, dispatch } }
  await client.apply(taskBrokers, broker, { fieldManager: 'test', force: true, fieldValidation: 'Strict' })
}

/** Creates or edits a schedule; resolves with the second in which it was created. */
export async function applySchedule(
  { client, namespace }: Home,
  name: string,
  { task, everySeconds, ...spec }: ScheduleSpec,
): Promise<Slot> {
  const due = spec.schedules === undefined ? { everySeconds } : {}
  const schedule = { metadata: { namespace, name }, spec: { ...due, ...spec, ...(task === undefined ? {} : { task: { queue, ...task } }) } }
  const applied = await client.apply(taskSchedules, schedule, {
    fieldManager: 'test',
    force: true,
    fieldValidation: 'Strict',
  })
  return Date.parse(applied.metadata.creationTimestamp ?? '') / 1000
}

/** Of one node, whose handler keeps its books; a run of it begins where its TaskBroker is. */
export async function createGraph(
  { client, namespace }: Home,
  name: string,
  { broker = 'default', of = queue }: { readonly broker?: string; readonly of?: string } = {},
): Promise<void> {
  const nodes = [{ name: 'only', task: { type: 'record', queue: of } }]
  const graph = { metadata: { namespace, name }, spec: { brokerRef: { name: broker }, nodes } }
  await client.apply(taskDependencies, graph, { fieldManager: 'test', force: true, fieldValidation: 'Strict' })
}

/** As the garbage collector would do, which these tests have none of. */
export async function deleteExecutions(home: Home): Promise<void> {
  const { client, namespace } = home
  const { items } = await client.list(taskExecutions, { namespace })
  const gone = (error: unknown) => {
    if (!hasCode(error, 'TM_KUBE_NOT_FOUND')) throw error
  }
  await Promise.all(items.map(({ metadata }) => client.delete(taskExecutions, namespace, metadata.name).catch(gone)))
}

/** The runs that slots of a schedule have started, and that have ended and are not marked as recorded. */
export async function unmarkedExecutions({ client, namespace }: Home, schedule: string): Promise<readonly string[]> {
  const { items } = await client.list(taskExecutions, { namespace, labelSelector: `${labels.schedule}=${schedule}` })
  const unmarked = items.filter(
    (each) => finalStateOf(each) !== undefined && each.metadata.annotations?.[annotations.recorded] === undefined,
  )
  return unmarked.map(({ metadata }) => metadata.name)
}

/** The Jobs of a schedule that have ended and are not acknowledged. */
export async function unacknowledgedJobs({ client, namespace }: Home, schedule: string): Promise<readonly string[]> {
  const { items } = await client.list(jobs, { namespace, labelSelector: `${labels.schedule}=${schedule}` })
  return items.filter((each) => endOfJob(each) !== undefined && !isAcknowledged(each)).map(({ metadata }) => metadata.name)
}

/** What no operator ever does: the broker has forgotten the schedule. */
export async function forgetLedger({ commands, namespace }: Home, name: string): Promise<void> {
  await commands.del(ledgerKey(prefix, ledgerName(installation, namespace, name)))
}

export const deleteSchedule = ({ client, namespace }: Home, name: string): Promise<void> => client.delete(taskSchedules, namespace, name)

export async function ledgerOf({ commands, namespace }: Home, name: string): Promise<Ledger | undefined> {
  const document = await commands.hget(ledgerKey(prefix, ledgerName(installation, namespace, name)), 'document')
  return document === null ? undefined : (JSON.parse(document) as Ledger)
}

/** Resolves when `check` holds; the message names what was waited for. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + patienceMs
  while (!(await check())) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain for ${what}`)
    await sleep(100)
  }
}

export const untilLedger = (home: Home, name: string, what: string, holds: (ledger: Ledger) => boolean): Promise<void> =>
  until(`ledger ${home.namespace}/${name}: ${what}`, async () => {
    const ledger = await ledgerOf(home, name)
    return ledger !== undefined && holds(ledger)
  })

/** Until the broker knows whether the schedule is to outlive its deletion. */
export const untilMarked = ({ commands, namespace }: Home, name: string, deletionPolicy: 'Delete' | 'Orphan'): Promise<void> =>
  until(`the marker of ${namespace}/${name}`, async () => {
    const marker = await commands.hget(ownersKey(prefix, installation), ledgerName(installation, namespace, name))
    return marker !== null && (JSON.parse(marker) as OwnerMarker).deletionPolicy === deletionPolicy
  })

/** `version`: what the payload, or the image of a Job, says; missing if it says none. */
export type Run = {
  readonly slot: Slot
  readonly attempt: number
  readonly atMs: number
  readonly version?: number
  /** Under the name that a job scheduler of BullMQ gives it. */
  readonly isOfScheduler?: true
}

/** What was read of each record file so far: it only grows, by whole lines. */
const recorded = new Map<string, { size: number; readonly runs: Map<string, Run[]> }>()

/** Every run of the schedule's handlers, in order: also those of the job scheduler of its name. */
export function runsOf(home: Home, name: string): readonly Run[] {
  const all = recordedIn(home)
  return [...(all.get(ledgerName(installation, home.namespace, name)) ?? []), ...(all.get(`repeat:${name}`) ?? [])]
}

/** … of a schedule that starts a graph: its runs are named after the slots, which have to be known. */
export function graphRunsOf(home: Home, name: string, slots: readonly Slot[]): readonly Run[] {
  const { namespace } = home
  const all = recordedIn(home)
  return slots.flatMap((slot) => {
    const run = runName(installation, namespace, slotObjectName(name, slotJobId(ledgerName(installation, namespace, name), slot)))
    return (all.get(run) ?? []).map((each) => ({ ...each, slot }))
  })
}

/** By ledger, by run, or as `repeat:` and the name of the job scheduler. */
function recordedIn({ recordFile }: Home): ReadonlyMap<string, readonly Run[]> {
  const known = recorded.get(recordFile) ?? { size: 0, runs: new Map<string, Run[]>() }
  recorded.set(recordFile, known)
  const { size } = statSync(recordFile)
  if (size > known.size) {
    const added = readFileSync(recordFile).subarray(known.size)
    known.size += added.length
    for (const line of added.toString('utf8').split('\n').filter(Boolean)) {
      const [id = '', attempt, time = '', version] = line.split(' ')
      const [, scheduler, ms] = /^(repeat:.*):(\d+)$/u.exec(id) ?? []
      const [, ledger = scheduler ?? '', slot = ''] = /^tm\/(.*\/run\/[^/]+|.*)\/([^/]*)(?:\/[^/]*)?$/u.exec(id) ?? []
      const runs = known.runs.get(ledger) ?? []
      known.runs.set(ledger, [
        ...runs,
        {
          slot: ms === undefined ? slotOf(slot) : Number(ms) / 1_000,
          attempt: Number(attempt),
          atMs: Date.parse(time),
          ...(version ? { version: Number(version) } : {}),
          ...(ms === undefined ? {} : { isOfScheduler: true }),
        },
      ])
    }
  }
  return known.runs
}

/** `20261129T000000Z` */
function slotOf(name: string): Slot {
  const iso = name.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z')
  return Date.parse(iso) / 1000
}

export const slotsRun = (home: Home, name: string): ReadonlySet<Slot> => new Set(runsOf(home, name).map((run) => run.slot))

/** Until so many more slots ran. */
export async function untilMoreRan(home: Home, name: string, more: number): Promise<void> {
  const before = slotsRun(home, name).size
  await until(`${more} more slots of ${home.namespace}/${name}`, () => slotsRun(home, name).size >= before + more)
}

/** The slots after one moment and up to another, as anybody would compute them: whole multiples since 1970. */
export function slotsDue(everySeconds: number, after: Slot, upTo: Slot): readonly Slot[] {
  const first = Math.floor(after / everySeconds) + 1
  const last = Math.floor(upTo / everySeconds)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * everySeconds)
}

/** What became of the slots of a schedule. */
export type Account = {
  readonly due: number
  /** By the handlers' file. */
  readonly ran: number
  readonly missed: Readonly<Record<string, number>>
  /** Everything that should not be, in words; empty: each due slot was dispatched exactly once and ran once, or was missed with a reason. */
  readonly wrong: readonly string[]
}

/**
 * Suspends the schedule, so that its ledger comes to rest at a moment of the broker's clock, waits for what was dispatched to run, and
 * compares: the slots that were due between the creation and that moment, what the ledger says, and what the handlers did.
 */
export async function settle(
  home: Home,
  name: string,
  spec: ScheduleSpec,
  createdAt: Slot,
  how: { readonly isOnce?: boolean } = {},
): Promise<Account> {
  await applySchedule(home, name, { ...spec, suspend: true })
  return accountAtRest(home, name, spec, createdAt, how)
}

/** The same, of a schedule that was suspended already. `isOnce`: a job that ran again counts once; the caller judges why it did. */
export async function accountAtRest(
  home: Home,
  name: string,
  spec: Pick<ScheduleSpec, 'everySeconds' | 'dependencyRef' | 'concurrencyPolicy'>,
  createdAt: Slot,
  { isOnce = false } = {},
): Promise<Account> {
  const whole = `${home.namespace}/${name}`
  await untilLedger(home, name, 'at rest', ({ timing, open, active }) => timing.suspended && isFinal(open) && active.length === 0)
  const ledger = await ledgerOf(home, name)
  if (ledger === undefined) throw new Error(`no ledger of ${whole}`)
  const due = slotsDue(spec.everySeconds, createdAt, Math.max(ledger.cursor, ...ledger.open.map((open) => open.slot)))
  const runs = () => (spec.dependencyRef === undefined ? runsOf(home, name) : graphRunsOf(home, name, due))
  const ran = () => new Set(runs().map(({ slot }) => slot))
  const isReplaced = spec.concurrencyPolicy === 'Replace'
  const last = lastToRun(ledger)
  const haveRun = isReplaced ? () => last === undefined || ran().has(last) : () => ran().size >= ledger.dispatched
  await until(`${ledger.dispatched} runs of ${whole}`, haveRun).catch(() => undefined)
  const all = isOnce ? [...new Map(runs().map((run) => [run.slot, run])).values()] : runs()
  return accountOf(all, due, ledger, { isReplaced })
}

/** The newest slot, unless it was replaced by one that did not start: the account suspended the schedule in between. */
function lastToRun({ lastDispatched, lastRun }: Ledger): Slot | undefined {
  return lastRun?.reason === 'Replaced' && lastRun.slot === lastDispatched?.slot ? undefined : lastDispatched?.slot
}

const isFinal = (open: Ledger['open']): boolean => open.every((each) => each.state === 'Final')

/**
 * `tolerated`: slots that the scenario may lose or double, because Redis itself forgot. `isReplaced`: a run may be replaced before a handler saw
 * it, but for the last one.
 */
export function accountOf(
  runs: readonly Run[],
  due: readonly Slot[],
  ledger: Ledger,
  { tolerated = () => false, isReplaced = false }: { readonly tolerated?: (slot: Slot) => boolean; readonly isReplaced?: boolean } = {},
): Account {
  const wrong: string[] = []
  const isDue = new Set(due)
  const times = new Map<string, number>()
  for (const { slot, attempt } of runs) times.set(`${slot} ${attempt}`, (times.get(`${slot} ${attempt}`) ?? 0) + 1)
  for (const [key, count] of times) {
    const [slot = 0, attempt] = key.split(' ').map(Number)
    if (count > 1 && !tolerated(slot)) wrong.push(`slot ${slotTime(slot)} ran ${count} times (attempt ${attempt})`)
    if (!isDue.has(slot) && !tolerated(slot)) wrong.push(`slot ${slotTime(slot)} ran and was not due`)
  }
  const ran = new Set(runs.map((run) => run.slot))
  const missed = Object.fromEntries(Object.entries(ledger.missed).map(([reason, { count }]) => [reason, count]))
  const missedCount = Object.values(missed).reduce((sum, count) => sum + count, 0)
  const margin = due.filter(tolerated).length
  const last = lastToRun(ledger)
  const haveRun = isReplaced
    ? ran.size <= ledger.dispatched && (last === undefined || ran.has(last))
    : Math.abs(ledger.dispatched - ran.size) <= margin
  if (!haveRun) wrong.push(`${ledger.dispatched} slots were dispatched, ${ran.size} ran`)
  if (Math.abs(due.length - ledger.dispatched - missedCount) > margin) {
    wrong.push(`${due.length} slots were due, ${ledger.dispatched} dispatched, ${missedCount} missed`)
  }
  return { due: due.length, ran: ran.size, missed, wrong }
}

/**
 * What Redis still holds of a namespace that can have an effect: ledgers, markers, jobs that would run, ends that are not recorded. Also every job
 * scheduler with its jobs: their names tell no namespace.
 */
export async function remainsOf({ commands, namespace }: Home): Promise<readonly string[]> {
  const idPrefix = `tm/${installation}/${namespace}/`
  const done = queueKeys(prefix, doneQueue(installation, namespace))
  const [ledgers, owners, ends, waitingEnds, ...queued] = await Promise.all([
    commands.keys(`${ledgerKey(prefix, `${installation}/${namespace}/`)}*`),
    commands.hkeys(ownersKey(prefix, installation)),
    commands.lrange(done.wait, '0', '-1'),
    commands.zrange(`${done.base}waiting-children`, '0', '-1'),
    ...[queue, idleQueue].flatMap((each) => {
      const keys = queueKeys(prefix, each)
      return [
        commands.zrange(keys.delayed, '0', '-1').then((ids) => ids.map((id) => ['delayed', id] as const)),
        commands.lrange(keys.wait, '0', '-1').then((ids) => ids.map((id) => ['waiting', id] as const)),
        commands.lrange(keys.active, '0', '-1').then((ids) => ids.map((id) => ['active', id] as const)),
        commands.zrange(`${keys.base}repeat`, '0', '-1').then((ids) => ids.map((id) => ['scheduler', `repeat:${id}`] as const)),
      ]
    }),
  ])
  return [
    ...ledgers.map((key) => `ledger ${key}`),
    ...owners.filter((owner) => owner.startsWith(`${installation}/${namespace}/`)).map((owner) => `marker ${owner}`),
    ...queued.flat().flatMap(([state, id]) => (id.startsWith(idPrefix) || id.startsWith('repeat:') ? [`${state} ${id}`] : [])),
    ...[...ends, ...waitingEnds].map((id) => `done ${id}`),
  ]
}

export async function untilNothingRemains(home: Home): Promise<void> {
  let remains: readonly string[] = []
  await until('', async () => (remains = await remainsOf(home)).length === 0).catch(() => {
    throw new Error(`${home.namespace}: left in Redis: ${remains.join(', ')}`)
  })
}

/** The holder of the dispatch lease in the namespace, by the broker's own record. */
export const dispatcherOf = ({ commands, namespace }: Home): Promise<Record<string, string>> =>
  commands.hgetall(dispatcherKey(prefix, dispatcherName(installation, namespace)))

/**
 * All that Redis holds of a namespace, and of a job scheduler: to see whether anything changed. Left out are the signs of life of who dispatches, and BullMQ's log
 * and counter of a queue, which tell of refused adds too.
 */
export async function effectsOf({ commands, namespace }: Home, scheduler?: string): Promise<Readonly<Record<string, string>>> {
  const whole = `${installation}/${namespace}`
  const own = [
    `${ledgerKey(prefix, whole)}/*`,
    `${queueKeys(prefix, queue).base}tm/${whole}/*`,
    `${queueKeys(prefix, doneQueue(installation, namespace)).base}*`,
    ...(scheduler === undefined ? [] : [`${queueKeys(prefix, queue).base}repeat:${scheduler}*`]),
  ]
  const all = (await Promise.all(own.map((pattern) => commands.keys(pattern)))).flat().toSorted()
  const keys = all.filter((key) => !/:(?:events|id)$/u.test(key))
  const dumps = await Promise.all(keys.map((key) => commands.dumpBuffer(key)))
  const { epoch = '', holder = '' } = await dispatcherOf({ commands, namespace } as Home)
  return { ...Object.fromEntries(keys.map((key, index) => [key, dumps[index]?.toString('base64') ?? ''])), epoch, holder }
}
