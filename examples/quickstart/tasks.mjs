// What the workers do. Each export of `tasks` is a task type: (payload, context) => result.
import { createHash } from 'node:crypto'
import { recordRun } from './store.mjs'

export const tasks = {
  /** Hashes a text many times: some milliseconds of processor time. */
  async hash({ text, rounds }, { jobId }) {
    let digest = text
    for (let round = 0; round < rounds; round += 1) digest = createHash('sha256').update(digest).digest('hex')
    await recordRun(jobId)
    return { digest }
  },

  /** Fetches a page: waits more than it works. */
  async fetch({ url }, { jobId, signal }) {
    const response = await fetch(url, { signal })
    if (!response.ok) throw new Error(`${url} answered ${response.status}`)
    const body = await response.text()
    await recordRun(jobId)
    return { bytes: body.length }
  },
}
