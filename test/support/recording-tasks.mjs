// Handlers that write each run into a file of their own: the tests count there, never in the queue.
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export const tasks = {
  async record({ ms }, { jobId }) {
    await sleep(ms)
    appendFileSync(process.env.RECORD_FILE, `${jobId}\n`)
  },
}
