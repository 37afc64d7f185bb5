// Workers of BullMQ as anybody would write them, one per queue, without anything of Taskmill. Handlers write each run into a file of their
// own: `jobId attempt time`, and the version that the payload has.
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'

const { REDIS_PORT, QUEUES, RECORD_FILE } = process.env
const connection = { host: '127.0.0.1', port: Number(REDIS_PORT), maxRetriesPerRequest: null, retryStrategy: () => 200 }

const workers = QUEUES.split(',').map((queue) => {
  const worker = new Worker(
    queue,
    async (job) => {
      const { version } = job.data ?? {}
      const said = version === undefined ? '' : ` ${version}`
      appendFileSync(RECORD_FILE, `${job.id} ${job.attemptsMade + 1} ${new Date().toISOString()}${said}\n`)
      if (job.data?.ms !== undefined) await sleep(job.data.ms)
      if (job.name === 'fail' || (job.name === 'flaky' && job.attemptsMade === 0)) throw new Error('fails by design')
    },
    { connection, concurrency: 8, stalledInterval: 5000, removeOnComplete: { age: 3600 }, removeOnFail: { age: 3600 } },
  )
  worker.on('error', () => undefined)
  return worker
})

process.once('SIGTERM', () => void Promise.all(workers.map((worker) => worker.close())).then(() => process.exit(0)))
