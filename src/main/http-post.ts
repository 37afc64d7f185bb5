import { hasCode, taskmillError } from '../errors/index.ts'
import type { Elector } from '../runtime/index.ts'
import type { HttpPost } from '../services/notifications/index.ts'

/**
 * POSTs for notifications, by the client that comes with Node: one attempt, no redirect followed, nothing of the answer but its status.
 * Fenced like requests to the API server: a process that was frozen beyond its lease begins nothing when it wakes up.
 */
export function httpPost(elector: Pick<Elector, 'isTrusted'>, term: AbortSignal, send: typeof fetch = fetch): HttpPost {
  return async (url, { headers, body, signal }) => {
    if (hasCode(term.reason, 'TM_LEASE_LOST') || !elector.isTrusted()) {
      throw taskmillError('TM_LEASE_LOST', 'not sent: this process does not hold the lease (any more)')
    }
    const answer = await send(url, { method: 'POST', redirect: 'manual', headers, body, signal })
    await answer.body?.cancel()
    return answer.status
  }
}
