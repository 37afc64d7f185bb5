import { createHash } from 'node:crypto'
import { hasLegacyRepeatableKeyShape } from 'bullmq'
import type { Redis } from 'ioredis'
import { queueKeys } from '../../contract/index.ts'

/** What repeats in one queue. */
export type RepeatingQueue = { readonly queue: string; readonly repeating: readonly RepeatingJob[] }

/** A job scheduler, or a repeatable job of a BullMQ before 6, as it is stored: numbers are texts, `data` and `opts` are JSON. */
export type RepeatingJob = {
  /** The id of the scheduler; of a repeatable job what BullMQ made of its name and options. */
  readonly key: string
  /** When its next job is due (Unix ms). */
  readonly nextMs: number
  /** A repeatable job, which BullMQ 6 does not run. */
  readonly isLegacy: boolean
  /** `name`, `pattern`, `tz`, `every`, `offset`, `limit`, `startDate`, `endDate`, `ic` (jobs so far), `data`, `opts`; each where it is set. */
  readonly fields: Readonly<Record<string, string>>
  /** The options of its next job, in JSON, and whether that job has begun; absent: it is not there any more. */
  readonly nextJob?: { readonly opts: string; readonly hasBegun: boolean }
}

/** Reading stops there: `which` says what there are more of. */
export type TooMuch = { readonly tooMany: 'keys' | 'queues' | 'jobs' }

/** How much is looked at. Each round trip asks for few of them, so that other clients of the server wait a millisecond or two at most. */
const most = { scans: 10_000, queues: 1_000, jobs: 10_000 }
const keysPerScan = 1_000
const jobsPerPage = 200

/** BullMQ 5 named its later repeatable jobs by a hash. */
const hashedKey = /^[0-9a-f]{32}$/u

/** Whether a key of what repeats, of which nothing else is known, is that of a repeatable job. */
export function isLegacyKey(key: string): boolean {
  return hasLegacyRepeatableKeyShape(key) || hashedKey.test(key)
}

/** Returns the queues under the prefix in which something repeats, in the order of their names. It walks over all keys of the database, in portions. */
export async function findRepeatingQueues(redis: Redis, keyPrefix: string, signal: AbortSignal): Promise<readonly string[] | TooMuch> {
  const [start, end] = [`${keyPrefix}:`, ':repeat']
  const pattern = `${start.replaceAll(/[\\*?[\]]/gu, String.raw`\$&`)}*${end}`
  const queues = new Set<string>()
  let cursor = '0'
  for (let count = 0; count < most.scans; count++) {
    signal.throwIfAborted()
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', keysPerScan, 'TYPE', 'zset')
    // A server may return a key twice. A name that begins with a dot is Taskmill's own.
    for (const key of keys) queues.add(key.slice(start.length, -end.length))
    if (queues.size > most.queues) return { tooMany: 'queues' }
    if (next === '0') return [...queues].filter((queue) => queue !== '' && !queue.startsWith('.')).toSorted()
    cursor = next
  }
  return { tooMany: 'keys' }
}

/** Reads what repeats in these queues; a queue without anything has an entry too. */
export async function readRepeatingJobs(
  redis: Redis,
  keyPrefix: string,
  queues: readonly string[],
  signal: AbortSignal,
): Promise<readonly RepeatingQueue[] | TooMuch> {
  const read: RepeatingQueue[] = []
  let left = most.jobs
  for (const queue of queues) {
    const { base } = queueKeys(keyPrefix, queue)
    const repeating = new Map<string, RepeatingJob>()
    // By ZSCAN: a scheduler that falls due meanwhile changes the order, and pages of it would leave out another one.
    for (let cursor = '0'; ;) {
      signal.throwIfAborted()
      const [next, reply] = await redis.zscan(`${base}repeat`, cursor, 'COUNT', jobsPerPage)
      const page = pairs(reply).filter(([key]) => !repeating.has(key))
      left -= page.length
      if (left < 0) return { tooMany: 'jobs' }
      for (const each of await Promise.all(page.map(([key, nextMs]) => readOne(redis, base, key, nextMs)))) repeating.set(each.key, each)
      if (next === '0') break
      cursor = next
    }
    // In the order in which they are due.
    read.push({ queue, repeating: [...repeating.values()].toSorted((a, b) => a.nextMs - b.nextMs || (a.key < b.key ? -1 : 1)) })
  }
  return read
}

function pairs(reply: readonly string[]): readonly (readonly [key: string, nextMs: number])[] {
  return reply.flatMap((key, index) => (index % 2 === 0 ? [[key, Number(reply[index + 1])] as const] : []))
}

async function readOne(redis: Redis, base: string, key: string, nextMs: number): Promise<RepeatingJob> {
  const stored = await redis.hgetall(`${base}repeat:${key}`)
  // Only job schedulers count their jobs.
  const isCounted = stored['ic'] !== undefined
  const fields = Object.keys(stored).length > 0 ? stored : fieldsOf(key)
  const next = await readNextJob(redis, base, key, nextMs, fields['name'] ?? '')
  const isLegacy = !isCounted && (isLegacyKey(key) || stored['data'] === undefined)
  // A repeatable job has no template of its own.
  const template = isLegacy && next !== undefined ? { data: next.data, opts: next.opts } : {}
  return {
    key,
    nextMs,
    isLegacy,
    fields: { ...template, ...fields },
    ...(next && { nextJob: { opts: next.opts, hasBegun: next.hasBegun } }),
  }
}

async function readNextJob(
  redis: Redis,
  base: string,
  key: string,
  nextMs: number,
  name: string,
): Promise<{ readonly data: string; readonly opts: string; readonly hasBegun: boolean } | undefined> {
  const legacy = isLegacyKey(key) ? [name, `${name}${key.split(':')[1] ?? ''}`].map((text) => hash(`${text}${hash(key)}`)) : []
  for (const id of [key, ...legacy]) {
    const [data, opts, ...begun] = await redis.hmget(`${base}repeat:${id}:${nextMs}`, 'data', 'opts', 'processedOn', 'finishedOn')
    if (data && opts) return { data, opts, hasBegun: begun.some(Boolean) }
  }
  return undefined
}

const hash = (text: string): string => createHash('md5').update(text).digest('hex')

/** Before BullMQ 5 the key itself says everything: `name:id:endDate:tz:` and a pattern or an interval in ms. */
function fieldsOf(key: string): Record<string, string> {
  const [name = '', , endDate = '', tz = '', ...rest] = key.split(':')
  const suffix = rest.join(':')
  const given = { name, endDate, tz, ...(/^\d+$/u.test(suffix) ? { every: suffix } : { pattern: suffix }) }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''))
}
