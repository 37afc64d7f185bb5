// The office's own data and book-keeping. It lives in the same Redis, apart from the queues: nothing here asks BullMQ.
import { Redis } from 'ioredis'

const [host, port] = (process.env.TASKMILL_BROKER_ADDRESS ?? '').split(':')
export const store = new Redis({ host, port: Number(port), maxRetriesPerRequest: null })

/** Called by the handler of a schedule when its work is done: which slot it was, and when the run began. */
export async function recordSlot(schedule, slot, beganMs) {
  const name = `reports/${schedule}`
  await store
    .multi()
    .hincrby(`assistant:runs:${name}`, slot, 1)
    .hsetnx(`assistant:began:${name}`, slot, beganMs)
    .sadd('assistant:schedules', name)
    .exec()
}

/** Everything that the office keeps. */
export async function databaseOf() {
  const [reports, mails] = await Promise.all([store.hgetall('reports:reports'), store.hgetall('reports:mails')])
  return { reports, mails }
}
