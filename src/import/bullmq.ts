import { parseJson } from '../json/index.ts'
import { type Draft, escaped, ImportError, isRecord, isTouchedByClocks, textOf } from './draft.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * Converts job schedulers of BullMQ, as the snippet of docs/coming-from-bullmq.md exports them: a JSON list of `queue` and what
 * `getJobSchedulers()` returns; or as `taskmill import` itself reads them in a Redis, which adds `isLegacy`, the options of the next job, and
 * `data` and `opts` as texts. `nowMs`: when they were read.
 */
export function importJobSchedulers(text: string, nowMs: number): readonly Draft[] {
  const queues = parse(text)
  return queues.flatMap((each) => {
    if (!isRecord(each) || typeof each['queue'] !== 'string' || !Array.isArray(each['schedulers']))
      throw new ImportError(
        'is not a list of queues with their schedulers: write the JSON that the snippet of docs/coming-from-bullmq.md prints',
      )
    const { queue, schedulers } = each
    return schedulers.map((scheduler) => draftOf(queue, isRecord(scheduler) ? scheduler : {}, nowMs))
  })
}

function parse(text: string): readonly unknown[] {
  try {
    const value = parseJson(text)
    return Array.isArray(value) ? value : [value]
  } catch (error) {
    throw new ImportError(`is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Options of a job that are converted, or belong to the scheduler itself. */
const knownOptions = ['attempts', 'backoff', 'priority', 'repeat', 'repeatJobKey', 'jobId', 'delay', 'timestamp', 'prevMillis']

function draftOf(queue: string, scheduler: Fields, nowMs: number): Draft {
  const { name, pattern, tz, every, offset, startDate, endDate } = scheduler
  const key = textOf(scheduler['key'] ?? scheduler['id'] ?? name)
  // `getJobSchedulers()` of BullMQ 5 lists repeatable jobs as well, without a mark; their keys are a hash that it makes.
  const isUnmarked = scheduler['isLegacy'] === undefined && /^[0-9a-f]{32}$/u.test(key)
  const isLegacy = scheduler['isLegacy'] === true || isUnmarked
  const template = recordOf(scheduler['template'])
  const options = recordOf(parsedText(template['opts']))
  const own = recordOf(options['repeat'])
  const notes: string[] = isLegacy
    ? [
        'It is a repeatable job of a BullMQ before 6: workers of BullMQ 6 do not repeat it. Here it becomes a schedule like a job scheduler.',
      ]
    : []
  const when = whenOf({ pattern: pattern ?? own['cron'], tz, every, offset: offset ?? (isLegacy ? own['offset'] : undefined) }, notes)
  const runs = runsLeft(scheduler, isLegacy ? own : {}, nowMs)
  if (runs !== undefined) notes.push(`limit ${runs.limit} became maxRuns ${runs.left}: the runs that are left.`)
  const isOver = (runs !== undefined && runs.left < 1) || (typeof endDate === 'number' && endDate < nowMs)
  if (isOver) notes.push('It has had all of its runs.')
  for (const option of Object.keys(options).filter((each) => !knownOptions.includes(each))) {
    notes.push(`The option ${option} (${JSON.stringify(options[option])}) of its jobs has no counterpart here.`)
  }
  if (isLegacy && template['data'] === undefined)
    notes.push(
      `${isUnmarked ? 'The export does not have its next job' : 'Its next job is not in the queue'}, so its data and options are not known: ${isUnmarked ? 'read it with --from-redis, or ' : ''}write task.payload, task.retry and task.priority.`,
    )
  const payload = parsedText(template['data'])
  if (payload !== undefined && payload !== null && !isRecord(payload))
    notes.push(`Its data is no object but ${JSON.stringify(payload)}: task.payload is one; write it in a field that the handler reads.`)
  const isConverted = when !== undefined && !isOver
  if (isConverted) {
    notes.push(
      'BullMQ adds the next job when the last one starts, so that runs are late or missing while workers are busy or at zero; Taskmill adds each slot in time.',
    )
    const removal = isLegacy
      ? `queue.removeRepeatableByKey(${JSON.stringify(key)}) of BullMQ 5`
      : `queue.removeJobScheduler(${JSON.stringify(key)})`
    notes.push(`Remove the ${isLegacy ? 'repeatable job' : 'scheduler'} when you apply this (${removal}): otherwise both run.`)
  }
  return {
    origin: `BullMQ ${isLegacy ? 'repeatable job' : 'job scheduler'} ${JSON.stringify(key)} of queue ${JSON.stringify(queue)}`,
    // What BullMQ made of name and options is no name for people.
    name: isLegacy && textOf(name) !== '' ? textOf(name) : key,
    notes,
    spec: isConverted
      ? {
          ...when,
          startTime: timeOf(startDate),
          endTime: timeOf(endDate),
          maxRuns: runs?.left,
          task: {
            type: name ?? key,
            queue,
            ...(isRecord(payload) && Object.keys(payload).length > 0 ? { payload: escaped(payload) } : {}),
            ...retryOf(options, notes),
            ...priorityOf(options['priority'], notes),
          },
        }
      : undefined,
  }
}

/**
 * How many runs a limit leaves. The number of its next job counts from the last upsert on; without that job, what the scheduler has counted since
 * it was created is the best there is. The next job is counted, although it may not have begun.
 */
function runsLeft(
  { limit, iterationCount, next, nextJob }: Fields,
  own: Fields,
  nowMs: number,
): { readonly limit: number; readonly left: number } | undefined {
  const most = typeof limit === 'number' ? limit : own['limit']
  if (typeof most !== 'number') return undefined
  const job = isRecord(nextJob) ? nextJob : undefined
  const count = recordOf(recordOf(parsedText(job?.['opts']))['repeat'])['count'] ?? iterationCount
  const made = typeof count === 'number' ? count : 0
  const isNextLeft = job === undefined ? typeof next === 'number' && next > nowMs : job['hasBegun'] !== true
  return { limit: most, left: most - made + (isNextLeft && made > 0 ? 1 : 0) }
}

function recordOf(value: unknown): Fields {
  return isRecord(value) ? value : {}
}

/** What a text of JSON says; anything else as it is. */
function parsedText(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return parseJson(value)
  } catch {
    return undefined
  }
}

function whenOf({ pattern, tz, every, offset }: Fields, notes: string[]): Fields | undefined {
  if (typeof pattern === 'string' && pattern !== '') {
    const timeZone = typeof tz === 'string' && tz !== '' ? tz : 'UTC'
    if (tz === undefined || tz === '')
      notes.push(
        'The scheduler has no tz: BullMQ goes by the clock of the process that computes the next run. Set timeZone if that is not UTC.',
      )
    if (isTouchedByClocks(pattern, timeZone)) {
      notes.push(
        'A time that clocks skip runs at the end of the gap (02:30 at 03:00); BullMQ runs it an hour later (03:30). A repeated one runs once, as with BullMQ.',
      )
    }
    return { schedules: [pattern], timeZone }
  }
  const ms = Number(every)
  if (!(ms > 0)) {
    notes.push('It has neither pattern nor every.')
    return undefined
  }
  if (ms % 1000 !== 0) {
    notes.push(`every ${ms} ms: slots are whole seconds; choose an interval of whole seconds.`)
    return undefined
  }
  const shift = Number(offset ?? 0) % ms
  // Without an offset of its own, a scheduler keeps the one of the moment at which it was created.
  const offsetSeconds = Math.floor(shift / 1000)
  if (shift % 1000 !== 0) notes.push(`offset ${shift} ms became offsetSeconds ${offsetSeconds}: slots are whole seconds.`)
  return { everySeconds: ms / 1000, ...(offsetSeconds > 0 ? { offsetSeconds } : {}) }
}

function timeOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const ms = typeof value === 'number' ? value : Date.parse(textOf(value))
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString().replace(/\.\d{3}Z$/u, 'Z')
}

function retryOf({ attempts, backoff }: Fields, notes: string[]): Fields {
  if (typeof attempts !== 'number' || attempts <= 1) return {}
  const { type, delay } = isRecord(backoff) ? backoff : { type: 'fixed', delay: backoff }
  if (backoff === undefined) notes.push('Retries come at once with BullMQ; here after task.retry.initialDelaySeconds.')
  else if (type !== 'exponential') notes.push(`The pause between attempts doubles here; that of BullMQ was ${String(type)}.`)
  const initialDelaySeconds = typeof delay === 'number' ? Math.ceil(delay / 1000) : 0
  return { retry: { maxRetries: attempts - 1, initialDelaySeconds } }
}

/** BullMQ counts the other way round: 1 is its most urgent. */
function priorityOf(priority: unknown, notes: string[]): Fields {
  if (typeof priority !== 'number' || priority <= 0) return {}
  if (priority > 100) notes.push(`priority ${priority} of BullMQ became 1, the least urgent here.`)
  return { priority: Math.max(1, 101 - priority) }
}
