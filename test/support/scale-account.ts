/**
 * What became of the scale load: of each slot that was due, of each run, and of each job that a handler saw. What was due is computed from the
 * specs as they are written, and what ran is read in the handlers' own book.
 */
import { readFileSync } from 'node:fs'
import { taskExecutions, taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { doneQueue, ledgerName, queueKeys, runKey, runName } from '../../src/contract/index.ts'
import { listAll } from '../../src/kube/index.ts'
import { sendAll } from '../bench/at-once.ts'
import { accountAtRest, accountOf, installation, ledgerOf, runsOf, until, untilLedger, type Account, type Home } from './schedule-home.ts'

const prefix = 'bull'
const ledgersAtOnce = 16

/** The period of a schedule in seconds, if it is due again and again while a test lasts; else the one slot that it may have had by now. */
function rhythmOf(
  { metadata, spec }: TaskSchedule,
  nowMs: number,
): { readonly everySeconds: number } | { readonly slot: number | undefined } {
  if (spec.everySeconds !== undefined) return { everySeconds: spec.everySeconds }
  const [expression = ''] = spec.schedules ?? []
  if (expression === '* * * * *') return { everySeconds: 60 }
  const [, minute, hour] = /^(\d+) (\d+) \* \* \*$/u.exec(expression) ?? []
  if (minute === undefined) throw new Error(`the account does not know when "${expression}" is due`)
  const createdMs = Date.parse(metadata.creationTimestamp ?? '')
  const dueMs = [0, 86_400_000].map((more) => new Date(createdMs).setUTCHours(Number(hour), Number(minute), 0, 0) + more)
  const slotMs = dueMs.find((each) => each > createdMs && each <= nowMs)
  return { slot: slotMs === undefined ? undefined : slotMs / 1_000 }
}

export type ScheduleAccount = Account & { readonly name: string; readonly mayOverlap: boolean }

/** Suspends the schedules that are due again and again, waits until all that were due are at rest, and accounts for each. */
export async function accountForSchedules(home: Home): Promise<readonly ScheduleAccount[]> {
  const { client, namespace } = home
  const schedules = await listAll(client, taskSchedules, { namespace })
  const nowMs = Date.now()
  const accounts: ScheduleAccount[] = []
  await sendAll(
    schedules.flatMap((schedule) => {
      const { name } = schedule.metadata
      return 'everySeconds' in rhythmOf(schedule, nowMs)
        ? [() => client.patch(taskSchedules, { metadata: { namespace, name }, spec: { suspend: true } }, { fieldManager: 'test' })]
        : []
    }),
  )
  await sendAll(
    schedules.map((schedule) => async () => {
      const { name, creationTimestamp } = schedule.metadata
      const rhythm = rhythmOf(schedule, nowMs)
      const createdAt = Date.parse(creationTimestamp ?? '') / 1_000
      const of = { name, mayOverlap: schedule.spec.concurrencyPolicy === 'Allow' }
      if ('everySeconds' in rhythm) accounts.push({ ...of, ...(await accountAtRest(home, name, rhythm, createdAt, { isOnce: true })) })
      else if (rhythm.slot !== undefined) accounts.push({ ...of, ...(await accountForSlot(home, name, rhythm.slot)) })
    }),
    ledgersAtOnce,
  )
  return accounts
}

/** Of a schedule whose next slot is a day away. */
async function accountForSlot(home: Home, name: string, slot: number): Promise<Account> {
  await untilLedger(home, name, 'its slot is decided', ({ cursor, active }) => cursor >= slot && active.length === 0)
  const ledger = await ledgerOf(home, name)
  if (ledger === undefined) throw new Error(`no ledger of ${name}`)
  await until(`the run of ${name}`, () => runsOf(home, name).length >= ledger.dispatched)
  return accountOf(runsOf(home, name).slice(0, 1), [slot], ledger)
}

/** Waits until every run has ended, and returns what is wrong with them: each node is one job, under the token that the run's log begins with. */
export async function faultsOfRuns(home: Home): Promise<{ readonly runs: number; readonly faults: readonly string[] }> {
  const { client, commands, namespace } = home
  const isFinal = (state: string | undefined): boolean => state !== undefined && state !== 'Pending' && state !== 'Running'
  let states: readonly (string | undefined)[] = []
  await until('the end of all runs', async () => {
    states = (await listAll(client, taskExecutions, { namespace })).map(({ status }) => status?.state)
    return states.every(isFinal)
  }).catch(async (cause: unknown) => {
    const counts = [...Map.groupBy(states, (state) => state)].map(([state, all]) => `${all.length} ${state}`)
    throw new Error(`not all runs have ended: ${counts.join(', ')}; handlers ran ${timesRun(home).size} jobs`, { cause })
  })
  const executions = await listAll(client, taskExecutions, { namespace })
  const jobsOf = new Map<string, string[]>()
  for (const id of timesRun(home).keys()) {
    const [, run] = /^tm\/(.*\/run\/[^/]+)\/[^/]+\/[^/]+$/u.exec(id) ?? []
    if (run !== undefined) jobsOf.set(run, [...(jobsOf.get(run) ?? []), id])
  }
  const faults: string[] = []
  await sendAll(
    executions.map(({ metadata: { name }, status }) => async () => {
      const run = runName(installation, namespace, name)
      const [first = '{}'] = await commands.lrange(runKey(prefix, run), 0, 0)
      const { token } = JSON.parse(first) as { readonly token?: string }
      const nodes = status?.nodes?.map((node) => node.name) ?? []
      const wanted = nodes.map((node) => `tm/${run}/${token}/${node}`).toSorted()
      const ran = (jobsOf.get(run) ?? []).toSorted()
      if (status?.state !== 'Succeeded') faults.push(`${name} is ${status?.state}: ${status?.failureMessage}`)
      if (nodes.length === 0 || wanted.join() !== ran.join())
        faults.push(`${name}: ran ${ran.join(', ')}, should have ${wanted.join(', ')}`)
    }),
  )
  return { runs: executions.length, faults }
}

/**
 * Of jobs that handlers saw more than once: those that were placed more than once. The others are one job that BullMQ took back from a worker
 * whose connection had broken, and started again, as "at least once" says; its own count of starts says so.
 */
export async function findPlacedTwice({ commands, ...home }: Home, queues: readonly string[]) {
  const repeated = [...timesRun(home)].filter(([, times]) => times > 1)
  const placedTwice: string[] = []
  for (const [id, times] of repeated) {
    const starts = await Promise.all(queues.map((queue) => commands.hget(`${queueKeys(prefix, queue).base}${id}`, 'ats')))
    if (Math.max(...starts.map(Number)) < times) placedTwice.push(`${id}: ${times} runs, ${starts.join()} starts`)
  }
  return { repeated: repeated.length, placedTwice }
}

/** How often handlers ran each job. */
function timesRun({ recordFile }: Pick<Home, 'recordFile'>): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  for (const line of readFileSync(recordFile, 'utf8').split('\n').filter(Boolean)) {
    const id = line.slice(0, line.indexOf(' '))
    times.set(id, (times.get(id) ?? 0) + 1)
  }
  return times
}

/** Ends in the done queue of the namespace that no record has taken up, of these schedules and of runs. */
export async function pendingEnds({ commands, namespace }: Home, schedules: readonly string[]): Promise<readonly string[]> {
  const done = queueKeys(prefix, doneQueue(installation, namespace))
  const ids = [...(await commands.lrange(done.wait, 0, -1)), ...(await commands.zrange(`${done.base}waiting-children`, '0', '-1'))]
  const settled = schedules.map((name) => `tm/${ledgerName(installation, namespace, name)}/`)
  return ids.filter((id) => id.includes('/run/') || settled.some((start) => id.startsWith(start)))
}
