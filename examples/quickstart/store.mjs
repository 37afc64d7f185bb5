// The example's own book-keeping, apart from the queues: which jobs a producer added, and how often each one ran.
import { Redis } from 'ioredis'

const [host, port] = (process.env.TASKMILL_BROKER_ADDRESS ?? '').split(':')
const redis = new Redis({ host, port: Number(port), maxRetriesPerRequest: null })

/** Called by a handler when its work is done. */
export async function recordRun(jobId) {
  const burst = jobId.slice(0, jobId.lastIndexOf('-'))
  await redis.hincrby(`quickstart:runs:${burst}`, jobId, 1)
}

/** Called by the producer with every id that the queue accepted. */
export async function recordAdded(burst, jobIds) {
  await redis.sadd(`quickstart:added:${burst}`, ...jobIds)
}

/** Counts from the two lists: nothing here asks the queues. */
export async function tally(burst) {
  const [added, runs] = await Promise.all([redis.smembers(`quickstart:added:${burst}`), redis.hgetall(`quickstart:runs:${burst}`)])
  const done = added.filter((id) => runs[id] !== undefined).length
  const twice = Object.values(runs).filter((times) => Number(times) > 1).length
  return { added: added.length, done, missing: added.length - done, twice }
}

export const closeStore = () => redis.quit()
