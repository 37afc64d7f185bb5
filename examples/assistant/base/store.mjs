// The assistant's own data and book-keeping. It lives in the same Redis, apart from the queues: nothing here asks BullMQ.
import { Redis } from 'ioredis'

const [host, port] = (process.env.TASKMILL_BROKER_ADDRESS ?? '').split(':')
export const store = new Redis({ host, port: Number(port), maxRetriesPerRequest: null })

/** Called by the handler of a schedule when its work is done: which slot it was, and when the run began. */
export async function recordSlot(schedule, slot, beganMs) {
  await store
    .multi()
    .hincrby(`assistant:runs:${schedule}`, slot, 1)
    .hsetnx(`assistant:began:${schedule}`, slot, beganMs)
    .sadd('assistant:schedules', schedule)
    .xadd('assistant:log', 'MAXLEN', '~', 10_000, '*', 'schedule', schedule, 'slot', slot)
    .exec()
}

/** Called by the handler of a node of a graph when an attempt begins: which step of which run it is. */
export async function recordStep(run, step, beganMs) {
  await store.multi().hincrby(`assistant:steps:${run}`, step, 1).hsetnx('assistant:graphs', run, beganMs).exec()
}

/** Called by the handler of a job that a person sent, when it is done; `begun` is the place in the order in which they began. */
export async function recordJob(jobId, begun) {
  const batch = jobId.slice(0, jobId.lastIndexOf('-'))
  await store.multi().hincrby(`assistant:jobs:${batch}`, jobId, 1).hsetnx(`assistant:begun:${batch}`, jobId, begun).exec()
}

/** The next place in that order. */
export const nextPlace = () => store.incr('assistant:places')

/** How often each step of each run of the graph was begun, and when the first one was: `{ run: { beganMs, steps: { step: times } } }`. */
export async function graphRuns() {
  const runs = Object.entries(await store.hgetall('assistant:graphs'))
  const read = async ([run, beganMs]) => {
    const steps = Object.entries(await store.hgetall(`assistant:steps:${run}`)).map(([step, times]) => [step, Number(times)])
    return [run, { beganMs: Number(beganMs), steps: Object.fromEntries(steps) }]
  }
  return Object.fromEntries(await Promise.all(runs.map(read)))
}

/** How often each slot ran and when it began first: `{ schedule: { slot: [times, beganMs] } }`. */
export async function slotRuns() {
  const schedules = await store.smembers('assistant:schedules')
  const read = async (schedule) => {
    const [runs, began] = await Promise.all([store.hgetall(`assistant:runs:${schedule}`), store.hgetall(`assistant:began:${schedule}`)])
    const slots = Object.entries(runs).map(([slot, times]) => [slot, [Number(times), Number(began[slot])]])
    return [schedule, Object.fromEntries(slots)]
  }
  return Object.fromEntries(await Promise.all(schedules.map(read)))
}
