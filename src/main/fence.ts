import { hasCode, taskmillError } from '../errors/index.ts'
import type { KubeConnection } from '../kube/index.ts'
import type { Elector } from '../runtime/index.ts'

/**
 * The connection of those who may act only in one term of this process. Every request asks for its credentials right before it is handed to
 * the pool of connections, a repeated one each time: there the term and the lease are looked at, and TM_LEASE_LOST thrown once the term is
 * over or the lease not to be trusted any more. So a process that was frozen beyond its lease begins nothing when it wakes up, whatever it
 * was in the middle of, and what is left of a term sends nothing in the next one.
 * The orderly stop aborts the term too, with another reason: what it has to say then may still be said.
 * Does not: call back what waits in the pool for a connection to open. That is cut by its signal, which the elector aborts as the first
 * thing after waking up; and a write of replicas that slipped through carries the resource version that it was based on.
 */
export function fenced(connection: KubeConnection, elector: Pick<Elector, 'isTrusted'>, term: AbortSignal): KubeConnection {
  return {
    ...connection,
    async credentials(options) {
      const credentials = (await connection.credentials?.(options)) ?? {}
      if (hasCode(term.reason, 'TM_LEASE_LOST') || !elector.isTrusted()) {
        throw taskmillError('TM_LEASE_LOST', 'not sent: this process does not hold the lease (any more)')
      }
      return credentials
    },
  }
}
