import { parseJson } from '../json/index.ts'
import { type Draft, escaped, ImportError, isRecord, isTouchedByClocks, textOf } from './draft.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * Converts job schedulers of BullMQ, as the snippet of docs/coming-from-bullmq.md exports them: a JSON list of `queue` and what
 * `getJobSchedulers()` returns.
 */
export function importJobSchedulers(text: string): readonly Draft[] {
  const queues = parse(text)
  return queues.flatMap((each) => {
    if (!isRecord(each) || typeof each['queue'] !== 'string' || !Array.isArray(each['schedulers']))
      throw new ImportError(
        'is not a list of queues with their schedulers: write the JSON that the snippet of docs/coming-from-bullmq.md prints',
      )
    const { queue, schedulers } = each
    return schedulers.map((scheduler) => draftOf(queue, isRecord(scheduler) ? scheduler : {}))
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

function draftOf(queue: string, scheduler: Fields): Draft {
  const { name, pattern, tz, every, offset, limit, iterationCount, startDate, endDate } = scheduler
  const key = textOf(scheduler['key'] ?? scheduler['id'] ?? name)
  const template = isRecord(scheduler['template']) ? scheduler['template'] : {}
  const options = isRecord(template['opts']) ? template['opts'] : {}
  const notes: string[] = []
  const when = whenOf({ pattern, tz, every, offset }, notes)
  const runs = typeof limit === 'number' ? limit - (typeof iterationCount === 'number' ? iterationCount : 0) : undefined
  if (runs !== undefined) notes.push(`limit ${String(limit)} became maxRuns ${runs}: the runs that are left.`)
  const over = runs !== undefined && runs < 1
  if (over) notes.push('It has had all of its runs.')
  for (const option of Object.keys(options).filter((each) => !knownOptions.includes(each))) {
    notes.push(`The option ${option} (${JSON.stringify(options[option])}) of its jobs has no counterpart here.`)
  }
  const data = template['data']
  const payload = typeof data === 'string' ? parseData(data) : data
  if (when !== undefined && !over) {
    notes.push(
      'BullMQ adds the next job when the last one starts, so that runs are late or missing while workers are busy or at zero; Taskmill adds each slot in time.',
    )
    notes.push(`Remove the scheduler when you apply this (queue.removeJobScheduler(${JSON.stringify(key)})): otherwise both run.`)
  }
  return {
    origin: `BullMQ job scheduler ${JSON.stringify(key)} of queue ${JSON.stringify(queue)}`,
    name: key,
    notes,
    spec:
      when === undefined || over
        ? undefined
        : {
            ...when,
            startTime: timeOf(startDate),
            endTime: timeOf(endDate),
            maxRuns: runs,
            task: {
              type: name ?? key,
              queue,
              ...(isRecord(payload) && Object.keys(payload).length > 0 ? { payload: escaped(payload) } : {}),
              ...retryOf(options, notes),
              ...priorityOf(options['priority'], notes),
            },
          },
  }
}

function parseData(text: string): unknown {
  try {
    return parseJson(text)
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
  const shift = Number(offset ?? 0)
  if (ms % 1000 !== 0 || shift % 1000 !== 0) {
    notes.push(`every ${ms} ms${shift === 0 ? '' : `, offset ${shift} ms`}: slots are whole seconds; choose an interval of whole seconds.`)
    return undefined
  }
  return { everySeconds: ms / 1000, ...(shift > 0 ? { offsetSeconds: shift / 1000 } : {}) }
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
