import type { Redis } from 'ioredis'
import { dispatcherKey, queueKeys, schedulerJobId, schedulersKey } from '../../contract/index.ts'
import { isRawNumber, parseJson } from '../../json/index.ts'
import type { PlacedJob } from '../dispatch-port.ts'
import type {
  BrokerJobSchedulers,
  JobSchedulerDifference,
  JobSchedulerPut,
  JobSchedulerReading,
  JobSchedulerSpec,
  SchedulerJob,
} from '../job-scheduler-port.ts'
import { callScript, inParts, scriptsBeside } from '../script.ts'
import { type EndTexts, endOf, slotResult } from './ended-jobs.ts'
import { hasOtherParent, keptSeconds, placingOf } from './placed-jobs.ts'

const loadScript = scriptsBeside(import.meta.url)
const readScript = loadScript('read-job-schedulers', 'job-scheduler')
const versionsScript = loadScript('job-scheduler-versions', 'job-scheduler')
const putScript = loadScript('put-job-scheduler', 'placing', 'job-scheduler')
const removeScript = loadScript('remove-job-scheduler', 'job-scheduler')
const followScript = loadScript('follow-jobs', 'placing', 'job-scheduler')

const readsPerCall = 25
const versionsPerCall = 100
const followsPerCall = 50
/** Of a return value: people read it, and nothing is decided by it. */
const mostResultBytes = 256

/** Job schedulers, in the keys and fields that BullMQ's own scripts write. Errors are those of the connection. */
export function createJobSchedulers(redis: Redis, keyPrefix: string): BrokerJobSchedulers {
  const baseOf = (queue: string): string => queueKeys(keyPrefix, queue).base

  return {
    async readJobSchedulers(requests) {
      const replies = await callScript(
        redis,
        readScript,
        inParts(requests, readsPerCall).map((part) => ({
          keys: part.flatMap(({ queue, doneQueue }) => [baseOf(queue), baseOf(doneQueue), schedulersKey(keyPrefix, queue)]),
          args: [mostResultBytes, ...part.flatMap(({ id, jobsAt }) => [id, jobsAt.length, ...jobsAt])],
        })),
      )
      const rows = (replies as readonly (readonly [number, ...SchedulerReply[]])[]).flatMap(([brokerTimeMs, ...its]) =>
        its.map((row) => [row, brokerTimeMs] as const),
      )
      return rows.map(([row, brokerTimeMs], index) => readingOf(row, brokerTimeMs, requests[index]?.spec))
    },

    async readJobSchedulerVersions(refs) {
      const replies = await callScript(
        redis,
        versionsScript,
        inParts(refs, versionsPerCall).map((part) => ({ keys: part.map(({ queue }) => baseOf(queue)), args: part.map(({ id }) => id) })),
      )
      return (replies as readonly (readonly string[])[]).flat().map((version) => (version === '' ? undefined : version))
    },

    async putJobScheduler(put, brokerTimeMs, proof) {
      const job = firstJobOf(put)
      const fields = fieldsOf(put.spec)
      const placing = placingOf([job], keyPrefix, proof.dispatcher, brokerTimeMs, (moment) => optionsOf(put, moment))
      const keys = [dispatcherKey(keyPrefix, proof.dispatcher), schedulersKey(keyPrefix, put.queue), ...placing.keys]
      const own = [put.id, put.expected?.version ?? '', put.nextMs, put.spec.owner, fields.length, ...fields]
      const args = [proof.epoch, proof.holder, ...own, ...placing.args]
      const [reply] = await callScript(redis, putScript, [{ keys, args }])
      return reply as 'Done' | 'Changed' | 'Taken' | 'Fenced'
    },

    async removeJobScheduler({ queue, id, doneQueue, expected }, proof) {
      const keys = [dispatcherKey(keyPrefix, proof.dispatcher), baseOf(doneQueue), baseOf(queue), schedulersKey(keyPrefix, queue)]
      const args = [proof.epoch, proof.holder, id, expected?.version ?? '']
      const [reply] = await callScript(redis, removeScript, [{ keys, args }])
      const [outcome, atMs, state] = reply as
        readonly ['Fenced' | 'Absent' | 'Changed'] | readonly ['Removed', string, SchedulerJob['state'] | 'Removed']
      return outcome === 'Removed' ? { outcome, next: { atMs: Number(atMs), state } } : { outcome }
    },

    async followJobs(jobs, brokerTimeMs, proof) {
      const replies = await callScript(
        redis,
        followScript,
        inParts(jobs, followsPerCall).map((part) => {
          const placing = placingOf(
            part.map((job) => ({ ...job, name: '', data: {}, dueAtMs: 0, attempts: 1 })),
            keyPrefix,
            proof.dispatcher,
            brokerTimeMs,
          )
          return {
            keys: [dispatcherKey(keyPrefix, proof.dispatcher), ...placing.keys],
            args: [proof.epoch, proof.holder, ...placing.args],
          }
        }),
      )
      if (replies.includes('OtherParent')) throw hasOtherParent(jobs.map(({ id }) => id).join(', '))
      return replies.includes('Fenced') ? 'Fenced' : 'Done'
    },
  }
}

function firstJobOf({ id, queue, spec, nextMs, doneQueue, done }: JobSchedulerPut): PlacedJob {
  const { name, data, attempts, backoffMs, bullPriority } = spec
  return { id: schedulerJobId(id, nextMs), doneQueue, done, queue, name, data, dueAtMs: nextMs, attempts, backoffMs, bullPriority }
}

/** The options of all jobs of a scheduler. */
function templateOf({ attempts, backoffMs, bullPriority = 0, owner }: JobSchedulerSpec): object {
  return {
    attempts,
    ...(backoffMs === undefined ? {} : { backoff: { type: 'exponential', delay: backoffMs } }),
    ...(bullPriority === 0 ? {} : { priority: bullPriority }),
    removeOnComplete: { age: keptSeconds.completed },
    removeOnFail: { age: keptSeconds.failed },
    taskmill: { ledger: owner },
  }
}

/** The options of the first job, from which a worker makes those of the next. */
function optionsOf(
  { id, spec, nextMs }: JobSchedulerPut,
  { timestamp, delay }: { readonly timestamp: number; readonly delay: number },
): object {
  const { timing, endMs } = spec
  const repeat = {
    ...('pattern' in timing ? { pattern: timing.pattern, tz: timing.timeZone } : { every: timing.everyMs }),
    ...(endMs === undefined ? {} : { endDate: endMs }),
    ...('everyMs' in timing && timing.offsetMs > 0 ? { offset: timing.offsetMs } : {}),
    count: 1,
  }
  // From it, the worker computes the next time of a pattern; that of an interval follows from the scheduler.
  const previous = 'pattern' in timing ? { prevMillis: nextMs } : {}
  return { ...templateOf(spec), jobId: schedulerJobId(id, nextMs), delay, timestamp, ...previous, repeatJobKey: id, repeat }
}

/** The hash of a scheduler, as a list of fields and values. */
function fieldsOf(spec: JobSchedulerSpec): readonly (string | number)[] {
  const { timing, endMs, name } = spec
  const data = JSON.stringify(spec.data ?? {})
  return [
    ...['name', name],
    ...('pattern' in timing ? ['tz', timing.timeZone, 'pattern', timing.pattern] : ['every', timing.everyMs]),
    ...['offset', 'everyMs' in timing ? timing.offsetMs : 0],
    ...(endMs === undefined ? [] : ['endDate', endMs]),
    ...['opts', JSON.stringify(templateOf(spec))],
    ...(data === '{}' ? [] : ['data', data]),
  ]
}

type SchedulerReply = readonly [
  version: string,
  nextMs: string,
  fields: readonly string[],
  jobs: readonly JobReply[],
  owner: string,
  isAsWritten: number,
]

type JobReply = readonly [
  atMs: string,
  state: SchedulerJob['state'],
  isFollowed: number,
  outcome?: EndTexts['outcome'],
  message?: string,
  result?: string,
  attemptsMade?: string,
  worker?: string,
  startedAtMs?: string,
  finishedAtMs?: string,
  opts?: string,
]

function readingOf(
  [version, nextMs, flat, jobs, owner, isAsWritten]: SchedulerReply,
  brokerTimeMs: number,
  spec: JobSchedulerSpec | undefined,
): JobSchedulerReading {
  const differences = () => (spec === undefined ? [] : findDifferences(fieldsOf(spec).map(String), flat))
  return {
    stored: version === '' ? undefined : { version, nextMs: Number(nextMs), differences: differences(), isAsWritten: isAsWritten === 1 },
    owner: owner === '' ? undefined : owner,
    jobs: jobs.map(jobFrom),
    brokerTimeMs,
  }
}

function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((field, index) => (index % 2 === 0 ? [[field, flat[index + 1] ?? ''] as const] : []))
}

function findDifferences(own: readonly string[], other: readonly string[]): readonly JobSchedulerDifference[] {
  const [ours, theirs] = [own, other].map((flat) => describeFields(Object.fromEntries(pairs(flat))))
  // When and what come before the options of the jobs.
  const order = (field: string): string => `${field.startsWith('opts.') ? 1 : 0}${field}`
  return [...new Set([...(ours?.keys() ?? []), ...(theirs?.keys() ?? [])])]
    .toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
    .map((field) => ({ field, ours: ours?.get(field), theirs: theirs?.get(field) }))
    .filter((each) => each.ours !== each.theirs)
}

/** The fields by which two schedulers differ, options one by one; what only counts or marks is left out. */
function describeFields({ opts, data, ...rest }: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const { taskmill: _, ...options } = parsed(opts)
  const given = Object.entries(options).map(([option, value]) => [`opts.${option}`, textOf(value)] as const)
  const payload = data === undefined ? [] : [['data', textOf(parsedAny(data))] as const]
  // Not every version of BullMQ writes an offset of 0 where there is none.
  const own = Object.entries(rest).filter(([field, value]) => field !== 'ic' && !(field === 'offset' && value === '0'))
  return new Map([...own, ...payload, ...given].filter(([, value]) => value !== ''))
}

/** JSON with its fields in one order, and its numbers as they are written. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, each: unknown) =>
    isRecord(each) ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1))) : each,
  )
}

function parsed(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value = parseJson(text ?? '{}')
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

/** What is no JSON, as it is. */
function parsedAny(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return text
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value)
}

function jobFrom(reply: JobReply): SchedulerJob {
  const [atMs, state, isFollowed, outcome = 'Succeeded', message = '', result = '', ...rest] = reply
  const [attemptsMade = '', worker = '', startedAtMs = '', finishedAtMs = '', opts = ''] = rest
  const job = { atMs: Number(atMs), state, isFollowed: isFollowed === 1 }
  if (job.isFollowed || (state !== 'Active' && state !== 'Ended')) return job
  if (state === 'Active') return { ...job, ...(startedAtMs === '' ? {} : { startedAtMs: Number(startedAtMs) }) }
  const end = endOf({ outcome, message, attemptsMade, worker, startedAtMs, finishedAtMs, opts })
  return { ...job, end: { ...end, ...slotResult(result) } }
}
