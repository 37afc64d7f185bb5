import { namespaces } from '../api/index.ts'
import { sleep, type Clock } from '../clock/index.ts'
import { errorMessage, taskmillError } from '../errors/index.ts'
import type { KubeClient } from '../kube/index.ts'
import type { Logger } from '../observability/index.ts'
import type { Startable } from '../runtime/index.ts'

/** Which cluster this is, ready before anything leads. */
export type ClusterId = Startable & {
  /** Once `synced` has resolved. */
  get(): string
}

const retryMs = 2_000

/**
 * The UID of a namespace: of kube-system, or of the operator's own where it may not see others (an operator for a list of namespaces then
 * counts as a cluster of its own, which is what it is to all that it may touch). Asked until it is answered.
 */
export function createClusterId(deps: {
  readonly client: Pick<KubeClient, 'get'>
  readonly namespace: string
  readonly clock: Clock
  readonly log: Logger
}): ClusterId {
  const { client, namespace, clock, log } = deps
  const synced = Promise.withResolvers<void>()
  // Its rejection must not end the process when no part waits for it.
  synced.promise.catch(() => {})
  let id: string | undefined

  async function ask(signal: AbortSignal): Promise<void> {
    while (id === undefined) {
      try {
        id = (await client.get(namespaces, undefined, namespace, { signal })).metadata.uid
      } catch (error) {
        signal.throwIfAborted()
        log.warn(
          { namespace, reason: errorMessage(error) },
          "cannot read the namespace that stands for the cluster's identity, trying again",
        )
        await sleep(clock, retryMs, signal)
      }
    }
  }

  return {
    name: 'identity of the cluster',
    start: (signal) => void ask(signal).then(synced.resolve, synced.reject),
    synced: synced.promise,
    get() {
      if (id === undefined) throw taskmillError('TM_CACHE_SYNC_TIMEOUT', 'the identity of the cluster is not known yet')
      return id
    },
  }
}
