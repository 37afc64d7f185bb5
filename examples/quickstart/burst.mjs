// Adds a burst of jobs the way any BullMQ producer does, then follows it through the example's own store.
// Prints one JSON object a line: first what was added, then the tally twice a second, last the tally with `finished`.
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { closeStore, recordAdded, tally } from './store.mjs'

const jobs = Number(process.env.JOBS)
const delayed = Number(process.env.DELAYED)
const patienceMs = Number(process.env.PATIENCE_SECONDS ?? 600) * 1000
const [host, port] = process.env.TASKMILL_BROKER_ADDRESS.split(':')
const connection = { host, port: Number(port) }
const queues = { hash: new Queue('hash', { connection }), fetch: new Queue('fetch', { connection }) }
const burst = `b${Date.now().toString(36)}`
const say = (line) => console.log(JSON.stringify(line))

function jobOf(index, delay) {
  const jobId = `${burst}-${index}`
  const opts = { jobId, attempts: 3, removeOnComplete: 100, removeOnFail: 1000, ...(delay === 0 ? {} : { delay }) }
  return index % 5 === 0
    ? { name: 'fetch', data: { url: 'http://site/' }, opts }
    : { name: 'hash', data: { text: jobId, rounds: 4000 }, opts }
}

// The delayed ones fall due together, when the burst is long over and no pod runs: only then is it shown that they wake the pool.
const delayMs = Number(process.env.DELAY_SECONDS ?? 60) * 1000
const all = [
  ...Array.from({ length: jobs }, (_, index) => jobOf(index, 0)),
  ...Array.from({ length: delayed }, (_, index) => jobOf(jobs + index, delayMs)),
]

await Promise.all(Object.values(queues).map((queue) => queue.waitUntilReady()))
const firstAddedAt = Date.now()
for (let at = 0; at < all.length; at += 500) {
  const batch = all.slice(at, at + 500)
  await Promise.all(Object.entries(queues).map(([name, queue]) => queue.addBulk(batch.filter((job) => job.name === name))))
  await recordAdded(
    burst,
    batch.map((job) => job.opts.jobId),
  )
}
say({ burst, added: all.length, firstAddedAt })

const deadline = Date.now() + patienceMs
let now = await tally(burst)
while (now.missing > 0 && Date.now() < deadline) {
  say(now)
  await sleep(500)
  now = await tally(burst)
}
// A job that runs a second time would do so soon after; look once more when all is quiet.
await sleep(1000)
say({ ...(await tally(burst)), burst, firstAddedAt, finished: true })
await Promise.all([...Object.values(queues).map((queue) => queue.close()), closeStore()])
process.exitCode = now.missing === 0 ? 0 : 1
